import type { Ended, Ending } from "../../protocol/ending.ts";
import { type ErrorCode, ProtocolError } from "../../protocol/errors.ts";
import type { ErrorEvent, ServerEvent, Stopped } from "../../protocol/events.ts";
import type { AudioFormat } from "../../protocol/format.ts";
import type { Request as ClientRequest } from "../../protocol/requests.ts";
import type { Dialect, Input, Message } from "../dialect.ts";
import { isModelError } from "../model-errors.ts";
import { type Told, ToldUtterances } from "../utterances.ts";
import { WavStart } from "../wav-start.ts";
import { type Span, type Spoken, spokenOf } from "../words.ts";
import { closeOf } from "./closes.ts";
import { readControl } from "./controls.ts";
import type { ServerMessage } from "./messages.ts";
import { NOTHING_SPOKEN, resultsMessage, type ResultState } from "./results.ts";
import { type DueEnd, UtteranceEnds } from "./utterance-ends.ts";

/** What a connection has been opened with. */
export interface Listening {
  /** A UUID. */
  readonly requestId: string;
  /** Time of the connection, ISO 8601. */
  readonly created: string;
  /** Undefined: the WAV header in the audio has it. */
  readonly format: AudioFormat | undefined;
  /** Returns the input that starts the stream of a format. */
  readonly start: (format: AudioFormat) => Input;
  readonly speechEvents: boolean;
  /** Undefined: the ends of utterances are not reported. */
  readonly utteranceEndMs: number | undefined;
  readonly untexted: "fields" | "empty";
  /** The model's other fields are sent, too. */
  readonly extras: boolean;
}

/**
 * Deepgram's streaming API, version 1: the query of the upgrade starts the one stream of a connection, binary messages
 * are audio, texts control. `docs/dialects/deepgram.md` describes it.
 */
export class DeepgramDialect implements Dialect {
  readonly #listening: Listening;
  readonly #utterances = new ToldUtterances();
  readonly #ends: UtteranceEnds | undefined;
  /** The audio so far, while its format is not known; undefined: a start has been asked for. */
  #wav: WavStart | undefined;
  #started = false;
  #model = "";
  #channels = 1;
  /** The last error that ends the connection, which its close explains. */
  #fault = "";
  /** Returns the messages that are due by the audio decoded. Undefined: there are never any. */
  readonly decoded?: (seconds: number) => readonly Message[];

  constructor(listening: Listening) {
    this.#listening = listening;
    if (listening.format === undefined) this.#wav = new WavStart();
    if (listening.utteranceEndMs === undefined) return;
    const ends = new UtteranceEnds(listening.utteranceEndMs);
    this.#ends = ends;
    this.decoded = (seconds) => this.#utteranceEnds(ends.decoded(seconds));
  }

  begin(): readonly Input[] {
    const { format, start } = this.#listening;
    return format === undefined ? [] : [start(format)];
  }

  read(message: Message): readonly Input[] {
    if (typeof message === "string") return this.#readText(message);
    // Earlier SDKs end like this.
    if (message.length === 0) return this.#closeStream();
    return this.#wav === undefined ? [{ kind: "audio", bytes: message }] : this.#readHeader(this.#wav, message);
  }

  write(event: ServerEvent): readonly Message[] {
    return this.#utterances.tell(event).flatMap((told) => this.#tell(told));
  }

  endsAt(code: ErrorCode): boolean {
    // There is one stream, and nothing else to try.
    return !this.#started || code === "format_mismatch" || code === "no_stream";
  }

  close(ending: Ending, message: string): Ended {
    const end = closeOf(ending, message === "" ? this.#fault : message);
    return ending === "no_stream" ? { ...end, last: [this.#metadata(0)] } : end;
  }

  #readText(text: string): readonly Input[] {
    const control = readControl(text);
    if (typeof control !== "string") return [reply(control)];
    switch (control) {
      case "KeepAlive":
        return [request({ request: "keep_alive" })];
      case "Finalize":
        return [this.#finalize()];
      case "CloseStream":
        return this.#closeStream();
      case "Configure": {
        const description = "the model's options are fixed when a stream starts";
        const code = "CONFIGURE_KEYTERMS_NOT_SUPPORTED";
        return [reply({ type: "ConfigureFailure", request_id: this.#listening.requestId, code, description })];
      }
    }
  }

  #readHeader(wav: WavStart, bytes: Uint8Array): readonly Input[] {
    const found = wav.push(bytes);
    if (found.status === "more") return [];
    this.#wav = undefined;
    if (found.status === "error") return [unknownFormat(found.reason)];
    const audio = found.audio.map((part): Input => ({ kind: "audio", bytes: part }));
    return [this.#listening.start(found.format), ...audio];
  }

  #finalize(): Input {
    // There is no stream that could answer it.
    if (this.#wav !== undefined) return reply(...this.#flushed(0, 0));
    this.#utterances.flushing();
    return request({ request: "flush" });
  }

  /** Without a stream, the error of the stop ends the session: see `endsAt`. */
  #closeStream(): readonly Input[] {
    if (this.#wav?.empty === false) return [unknownFormat("it ends in its header")];
    return [request({ request: "stop", disconnect: true })];
  }

  #tell(told: Told): readonly Message[] {
    if (told.kind === "flushed") return this.#flushed(told.channel, told.time).map(text);
    if (told.kind === "other") return this.#tellEvent(told.event);
    const { segment, endsSpeech, closesFlush } = told;
    const { channel, start_time: start, end_time: end } = segment;
    const spoken = spokenOf(segment, { start, end }, this.#listening.untexted);
    const state = { isFinal: true, speechFinal: endsSpeech || closesFlush, fromFinalize: closesFlush };
    const messages = spoken || closesFlush ? [this.#results(spoken, channel, { start, end }, state)] : [];
    const due = this.#ends?.answered(channel, start, end, spoken?.words.at(-1)?.end) ?? [];
    return [...messages, ...this.#utteranceEnds(due)];
  }

  #tellEvent(event: ServerEvent): readonly Message[] {
    switch (event.type) {
      case "started":
        this.#started = true;
        this.#model = event.model;
        this.#channels = event.format.channels;
        return [];
      case "active": {
        const ended = this.#utteranceEnds(this.#ends?.resumed(event.channel, event.time) ?? []);
        if (!this.#listening.speechEvents) return ended;
        const channel = this.#channelIndex(event.channel);
        return [...ended, text({ type: "SpeechStarted", channel, timestamp: event.time })];
      }
      case "inactive":
        this.#ends?.ended(event.channel, event.time);
        return [];
      case "segment": {
        const { channel, start_time: start, end_time: end } = event;
        const spoken = spokenOf(event, { start, end }, this.#listening.untexted);
        const state = { isFinal: false, speechFinal: false, fromFinalize: false };
        return spoken === undefined ? [] : [this.#results(spoken, channel, { start, end }, state)];
      }
      case "data": {
        const spoken = spokenOf(event, { start: 0, end: 0 }, this.#listening.untexted);
        if (spoken === undefined) return [];
        const span = { start: spoken.words[0]?.start ?? 0, end: spoken.words.at(-1)?.end ?? 0 };
        return [this.#results(spoken, event.channel, span, { isFinal: true, speechFinal: true, fromFinalize: false })];
      }
      case "error":
        return this.#tellError(event);
      case "stopped":
        return this.#stopped(event);
      default:
        return [];
    }
  }

  #tellError({ code, message, channel, start_time, end_time }: ErrorEvent): readonly Message[] {
    if (!this.#started || !isModelError(code)) {
      this.#fault = message;
      return [];
    }
    if (channel !== undefined && start_time !== undefined && end_time !== undefined) {
      this.#ends?.answered(channel, start_time, end_time, undefined);
    }
    return [text({ type: "Error", variant: "ModelError", description: message, message: code })];
  }

  #stopped({ reason, channels }: Stopped): readonly Message[] {
    if (reason !== "stop" && reason !== "drain") return [];
    const [first] = channels;
    return [this.#metadata(first === undefined ? 0 : first.received / first.received_rate)];
  }

  #results(spoken: Spoken = NOTHING_SPOKEN, channel: number, span: Span, state: ResultState): Message {
    const place = { requestId: this.#listening.requestId, model: this.#model, channel, channels: this.#channels, span };
    return text(resultsMessage(spoken, place, state, this.#listening.extras));
  }

  /** The answer to a `Finalize` behind which there was nothing to recognise. */
  #flushed(channel: number, time: number): ServerMessage[] {
    const { requestId, extras } = this.#listening;
    const span = { start: time, end: time };
    const place = { requestId, model: this.#model, channel, channels: this.#channels, span };
    const state = { isFinal: true, speechFinal: true, fromFinalize: true };
    return [resultsMessage(NOTHING_SPOKEN, place, state, extras)];
  }

  #utteranceEnds(due: readonly DueEnd[]): readonly Message[] {
    return due.map(({ channel, lastWordEnd }) =>
      text({ type: "UtteranceEnd", channel: this.#channelIndex(channel), last_word_end: lastWordEnd }),
    );
  }

  #metadata(duration: number): Message {
    const { requestId: request_id, created } = this.#listening;
    const head = { type: "Metadata", transaction_key: "deprecated", request_id, sha256: "", created } as const;
    return text({ ...head, duration, channels: this.#channels });
  }

  #channelIndex(channel: number): [number, number] {
    return [channel, this.#channels];
  }
}

function text(message: ServerMessage): string {
  return JSON.stringify(message);
}

function reply(...messages: ServerMessage[]): Input {
  return { kind: "reply", messages: () => messages.map(text) };
}

function request(request: ClientRequest): Input {
  return { kind: "request", request };
}

function unknownFormat(reason: string): Input {
  const message = `the audio has no WAV header that says its format, and the query has no encoding: ${reason}`;
  return { kind: "refused", error: new ProtocolError("unsupported_format", message), meant: "start" };
}
