import type { Ended, Ending } from "../../protocol/ending.ts";
import { type ErrorCode, ProtocolError } from "../../protocol/errors.ts";
import type { ErrorEvent, ServerEvent } from "../../protocol/events.ts";
import type { AudioFormat } from "../../protocol/format.ts";
import type { Dialect, Input, Message } from "../dialect.ts";
import { isModelError } from "../model-errors.ts";
import { type Told, ToldUtterances } from "../utterances.ts";
import { WavStart } from "../wav-start.ts";
import { type Span, type Spoken, spokenOf } from "../words.ts";
import { readControl } from "./controls.ts";
import { closeAfter, errorMessage } from "./faults.ts";
import type { Control, ErrorMessage, ServerMessage } from "./messages.ts";
import { recognitionStarted } from "./recognition-started.ts";
import { type Recognition, type RecognitionHost, recognitionOf } from "./recognition.ts";
import { endOfUtterance, transcriptMessage } from "./transcripts.ts";

const NO_INPUTS: readonly Input[] = [];
const NO_MESSAGES: readonly Message[] = [];

/** Format of the stream of a file without a byte, which has no say in what becomes of it. */
const ANY_FORMAT: AudioFormat = { channels: 1, sample_rate: 16_000, bit_depth: 16, is_float: false, encoding: "pcm" };

/**
 * Speechmatics' realtime API, version 2: a StartRecognition, binary messages of audio, each of which is acknowledged,
 * and an EndOfStream. `docs/dialects/speechmatics.md` describes it.
 */
export class SpeechmaticsDialect implements Dialect {
  readonly #session: string;
  readonly #host: RecognitionHost;
  readonly #utterances = new ToldUtterances();
  /** Undefined: there was no StartRecognition. */
  #recognition: Recognition | undefined;
  /** The audio so far, while its format is not known. */
  #wav: WavStart | undefined;
  /** Messages of audio. */
  #added = 0;
  /** The stream has started. */
  #started = false;
  #acknowledged = false;
  #ending = false;
  #lateAudioReported = false;
  #channels = 1;
  /** Partial transcripts are sent, if the stream has any. */
  #partials = false;
  /** The error that ends the connection. */
  #fault: { readonly code: string; readonly error: ErrorMessage } | undefined;

  /** @param session id of the session */
  constructor(session: string, host: RecognitionHost) {
    this.#session = session;
    this.#host = host;
  }

  begin(): readonly Input[] {
    return NO_INPUTS;
  }

  read(message: Message): readonly Input[] {
    if (this.#ending) return this.#late(message);
    if (typeof message !== "string") return this.#readAudio(message);
    const { control, error, isStart } = readControl(message);
    if (control !== undefined) return this.#control(control);
    return [refused(error, isStart && this.#recognition === undefined)];
  }

  write(event: ServerEvent): readonly Message[] {
    return this.#utterances.tell(event).flatMap((told) => this.#tell(told));
  }

  endsAt(code: ErrorCode): boolean {
    // There is one stream, and nothing else to try.
    return !this.#started || !isModelError(code);
  }

  close(ending: Ending, message: string): Ended {
    if (ending === "stop" || ending === "drain") {
      const code = ending === "stop" ? 1000 : 1001;
      if (this.#acknowledged) return { ending, code, reason: "", last: [text({ message: "EndOfTranscript" })] };
      if (ending === "stop") return { ending, code, reason: "" };
      return { ...closeAfter("draining", errorMessage("draining", "the server is shutting down")), ending };
    }
    const fault = this.#fault;
    return closeAfter(ending, fault?.code === ending ? fault.error : errorMessage(ending, message));
  }

  #control(control: Control): readonly Input[] {
    if (control.message === "StartRecognition") return this.#startRecognition(control);
    if (this.#recognition === undefined) {
      const message = `${control.message}: found before StartRecognition; allowed: after it`;
      return [refused(new ProtocolError("no_stream", message))];
    }
    switch (control.message) {
      case "EndOfStream":
        return this.#endOfStream(this.#recognition);
      case "ForceEndOfUtterance":
        // No stream that could answer it is open.
        if (this.#wav !== undefined) return [reply(endOfUtterance(0, undefined))];
        this.#utterances.flushing();
        return [{ kind: "request", request: { request: "flush" } }];
      case "SetRecognitionConfig":
        this.#partials = control.transcription_config.enable_partials ?? this.#partials;
        return NO_INPUTS;
      case "GetSpeakers":
        return [reply({ message: "SpeakersResult", speakers: [] })];
    }
  }

  #startRecognition(control: Extract<Control, { message: "StartRecognition" }>): readonly Input[] {
    if (this.#recognition !== undefined) {
      const found = "message: found a second StartRecognition; allowed: one in a connection";
      return [refused(new ProtocolError("invalid_request", found, { param: "message" }))];
    }
    try {
      const recognition = recognitionOf(control, this.#host);
      this.#recognition = recognition;
      this.#partials = recognition.partials;
      if (recognition.format !== undefined) return [recognition.start(recognition.format)];
      // Clients wait for the answer before they send the audio that has the format.
      this.#wav = new WavStart();
      this.#acknowledged = true;
      return [reply(recognitionStarted(this.#session, recognition.language))];
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return [refused(error, true)];
    }
  }

  #readAudio(bytes: Uint8Array): readonly Input[] {
    const recognition = this.#recognition;
    if (recognition === undefined) {
      const message = "audio: found before StartRecognition; allowed: after it";
      return [refused(new ProtocolError("audio_before_start", message))];
    }
    this.#added += 1;
    const added = reply({ message: "AudioAdded", seq_no: this.#added });
    if (this.#wav === undefined) return [{ kind: "audio", bytes }, added];
    const found = this.#wav.push(bytes);
    if (found.status === "more") return [added];
    if (found.status === "error") return [unknownFormat(found.reason)];
    this.#wav = undefined;
    const audio = found.audio.map((part): Input => ({ kind: "audio", bytes: part }));
    return [recognition.start(found.format), ...audio, added];
  }

  #endOfStream({ start }: Recognition): readonly Input[] {
    this.#ending = true;
    const stop: Input = { kind: "request", request: { request: "stop", disconnect: true } };
    if (this.#wav === undefined) return [stop];
    return this.#wav.empty ? [start(ANY_FORMAT), stop] : [unknownFormat("it ends in its header")];
  }

  /** Messages behind EndOfStream are ignored. */
  #late(message: Message): readonly Input[] {
    if (typeof message === "string" || this.#lateAudioReported) return NO_INPUTS;
    this.#lateAudioReported = true;
    const reason = "audio: found after EndOfStream; it is ignored";
    return [reply({ message: "Warning", type: "add_audio_after_eos", reason })];
  }

  #tell(told: Told): readonly Message[] {
    if (told.kind === "flushed") return [text(endOfUtterance(told.time, this.#channelName(told.channel)))];
    if (told.kind === "other") return this.#tellEvent(told.event);
    const { segment, endsSpeech, closesFlush } = told;
    const { channel, start_time: start, end_time: end } = segment;
    const spoken = spokenOf(segment, { start, end }, this.#untexted);
    const messages = spoken === undefined ? [] : [this.#transcript("AddTranscript", spoken, channel, { start, end })];
    if (endsSpeech || closesFlush) messages.push(text(endOfUtterance(end, this.#channelName(channel))));
    return messages;
  }

  #tellEvent(event: ServerEvent): readonly Message[] {
    switch (event.type) {
      case "started":
        this.#started = true;
        this.#channels = event.format.channels;
        if (this.#acknowledged) return NO_MESSAGES;
        this.#acknowledged = true;
        return [text(recognitionStarted(this.#session, this.#recognition?.language))];
      case "segment": {
        if (!this.#partials) return NO_MESSAGES;
        const span = { start: event.start_time, end: event.end_time };
        const spoken = spokenOf(event, span, this.#untexted);
        if (spoken === undefined) return NO_MESSAGES;
        return [this.#transcript("AddPartialTranscript", spoken, event.channel, span)];
      }
      case "data": {
        const spoken = spokenOf(event, { start: 0, end: 0 }, this.#untexted);
        if (spoken === undefined) return NO_MESSAGES;
        const span = { start: spoken.words[0]?.start ?? 0, end: spoken.words.at(-1)?.end ?? 0 };
        return [this.#transcript("AddTranscript", spoken, event.channel, span)];
      }
      case "error":
        return this.#tellError(event);
      default:
        return NO_MESSAGES;
    }
  }

  /** An error that ends the connection is its last message, behind the results that there are. */
  #tellError({ code, message, param, start_time }: ErrorEvent): readonly Message[] {
    if (start_time !== undefined || !this.endsAt(code as ErrorCode)) {
      return [text({ message: "Warning", type: code, reason: message })];
    }
    this.#fault = { code, error: errorMessage(code as ErrorCode, message, param) };
    return NO_MESSAGES;
  }

  #transcript(message: "AddTranscript" | "AddPartialTranscript", spoken: Spoken, channel: number, span: Span): string {
    const extras = this.#host.config.dialects.extras === "on";
    const language = this.#recognition?.language;
    return text(transcriptMessage(message, spoken, { span, channel: this.#channelName(channel), language, extras }));
  }

  /** Channels have names only where there are several. */
  #channelName(channel: number): string | undefined {
    return this.#channels > 1 ? `channel_${channel + 1}` : undefined;
  }

  get #untexted(): "fields" | "empty" {
    return this.#host.config.dialects.untexted;
  }
}

function text(message: ServerMessage): string {
  return JSON.stringify(message);
}

function reply(message: ServerMessage): Input {
  return { kind: "reply", messages: () => [text(message)] };
}

/** @param isStart it was meant as the start of the stream */
function refused(error: ProtocolError, isStart = false): Input {
  return { kind: "refused", error, ...(isStart && { meant: "start" }) };
}

function unknownFormat(reason: string): Input {
  const message = `audio_format: found "file", and audio without a WAV header: ${reason}; allowed: WAV files, or "raw"`;
  return refused(new ProtocolError("unsupported_format", message, { param: "audio_format" }), true);
}
