import type { Ended, Ending } from "../../protocol/ending.ts";
import { type ErrorCode, ProtocolError } from "../../protocol/errors.ts";
import type { ErrorEvent, ServerEvent } from "../../protocol/events.ts";
import type { AudioFormat } from "../../protocol/format.ts";
import type { Dialect, Input, Message } from "../dialect.ts";
import { statusOf } from "../grpc/status.ts";
import { isModelError } from "../model-errors.ts";
import { type Span, spokenOf } from "../words.ts";
import { type Plain, SPEECH_EVENTS, type SpeechApi, type SpeechEventType, type SpeechResult, typesOf } from "./api.ts";
import { AudioOpening } from "./opening.ts";
import type { SpeechWishes } from "./wishes.ts";

const NO_INPUTS: readonly Input[] = [];
const NO_MESSAGES: readonly Message[] = [];
const STOP: Input = { kind: "request", request: { request: "stop", disconnect: true } };

/** What a call has been opened with. */
export interface Speaking {
  readonly api: SpeechApi;
  readonly wishes: SpeechWishes;
  /** All results are one message, at the end. */
  readonly isWhole: boolean;
  readonly untexted: "fields" | "empty";
  /** Returns the input that starts the stream of a format. */
  readonly start: (format: AudioFormat) => Input;
}

/**
 * Riva's and Google's APIs. The transport has translated what clients send: a text is a configuration, which the call has
 * been opened with if it is the first, and bytes are audio. `docs/dialects/riva.md` and `google.md` describe them.
 */
export class SpeechDialect implements Dialect {
  readonly #speaking: Speaking;
  /** The audio so far, while its format is not known; undefined: a start has been asked for, or has to come first. */
  #opening: AudioOpening | undefined;
  #isConfigured = false;
  #started = false;
  #isEnding = false;
  /** Time at which the only utterance that the client wants has ended, seconds. */
  #utteranceEnd: number | undefined;
  readonly #results: SpeechResult[] = [];
  /** Spans on which the model has failed. */
  #failures = 0;
  /** The last error, which the status explains. Of one that ends the call, that of the call, not of its spans. */
  #fault: ErrorEvent | undefined;

  constructor(speaking: Speaking) {
    this.#speaking = speaking;
  }

  begin(): readonly Input[] {
    return NO_INPUTS;
  }

  read(message: Message): readonly Input[] {
    if (this.#isEnding) return NO_INPUTS;
    if (this.#utteranceEnd !== undefined) return [this.#stop()];
    if (typeof message === "string") return this.#configure();
    return this.#opening === undefined ? [{ kind: "audio", bytes: message }] : this.#open(this.#opening, message);
  }

  finished(): readonly Input[] {
    if (this.#isEnding) return NO_INPUTS;
    if (this.#opening === undefined) return [this.#stop()];
    if (this.#opening.empty && !this.#speaking.isWhole) return NO_INPUTS;
    return [unknownFormat(this.#opening.empty ? "there is none" : "it ends in its header")];
  }

  write(event: ServerEvent): readonly Message[] {
    switch (event.type) {
      case "started":
        this.#started = true;
        return NO_MESSAGES;
      case "segment": {
        const { channel, start_time: start, end_time: end } = event;
        return this.#tell(event, channel, { start, end }, event.is_final !== false);
      }
      case "data":
        return this.#tell(event, event.channel, undefined, true);
      case "active":
        return this.#tellSpeech(SPEECH_EVENTS.begin, event.time);
      case "inactive":
        return [...this.#tellSpeech(SPEECH_EVENTS.end, event.time), ...this.#endUtterance(event.time)];
      case "error":
        if (this.#started && isModelError(event.code)) this.#failures += 1;
        if (event.start_time === undefined || isModelError(event.code)) this.#fault = event;
        return NO_MESSAGES;
      case "stopped":
        return this.#speaking.isWhole && event.reason === "stop" ? [this.#whole()] : NO_MESSAGES;
      default:
        return NO_MESSAGES;
    }
  }

  endsAt(code: ErrorCode): boolean {
    // There is one stream, and nothing else to try.
    return !this.#started || !isModelError(code);
  }

  /** `code` is a status of gRPC, `reason` its message. */
  close(ending: Ending, message: string): Ended {
    const why = this.#fault?.message ?? "";
    if (ending !== "stop") {
      const reason = this.#fault?.code === ending ? why : message || why || ending;
      return { ending, code: statusOf(ending), reason };
    }
    if (this.#failures === 0) return { ending, code: statusOf("stop"), reason: "" };
    // No message has a place for it, and OK would mean that nothing is missing.
    const reason = `the model has failed on parts of the audio, ${this.#failures} in all: ${why}`;
    return { ending, code: statusOf("inference_failed"), reason };
  }

  #configure(): readonly Input[] {
    if (this.#isConfigured) {
      const problem = "streaming_config: found a second one; allowed: one, as the first message";
      return [{ kind: "refused", error: new ProtocolError("invalid_request", problem, { param: "streaming_config" }) }];
    }
    this.#isConfigured = true;
    const { wishes, start } = this.#speaking;
    const { format, isCertain } = wishes.audio;
    if (format !== undefined && isCertain) return [start(format)];
    this.#opening = new AudioOpening(format);
    return NO_INPUTS;
  }

  #open(opening: AudioOpening, bytes: Uint8Array): readonly Input[] {
    const found = opening.push(bytes);
    if (found.status === "more") return NO_INPUTS;
    this.#opening = undefined;
    if (found.status === "error") return [unknownFormat(found.reason)];
    return [this.#speaking.start(found.format), ...found.audio.map((part): Input => ({ kind: "audio", bytes: part }))];
  }

  #stop(): Input {
    this.#isEnding = true;
    return STOP;
  }

  /** @param span undefined: that of its words */
  #tell(
    event: Extract<ServerEvent, { type: "segment" | "data" }>,
    channel: number,
    span: Span | undefined,
    isFinal: boolean,
  ): readonly Message[] {
    const { wishes, untexted, isWhole } = this.#speaking;
    const spoken = spokenOf(event, span ?? { start: 0, end: 0 }, untexted);
    if (spoken === undefined) return NO_MESSAGES;
    if (this.#utteranceEnd !== undefined && span !== undefined && span.start >= this.#utteranceEnd) return NO_MESSAGES;
    const result: SpeechResult = {
      text: spoken.text,
      // Of an interim nobody can say.
      confidence: isFinal ? spoken.confidence : 0,
      words: wishes.words ? spoken.words : [],
      ...{ isFinal, channel },
      end: span?.end ?? spoken.words.at(-1)?.end ?? 0,
      language: spoken.language ?? wishes.language,
    };
    if (!isWhole) return [this.#streamed(this.#speaking.api.messages.streamed(result))];
    if (isFinal) this.#results.push(result);
    return NO_MESSAGES;
  }

  #tellSpeech(type: SpeechEventType, time: number): readonly Message[] {
    const { api, wishes } = this.#speaking;
    const message = wishes.speechEvents && this.#utteranceEnd === undefined && api.messages.event?.(type, time);
    return message ? [this.#streamed(message)] : NO_MESSAGES;
  }

  /** Speech has ended. What follows the only utterance that the client wants is neither read nor told. */
  #endUtterance(time: number): readonly Message[] {
    const { api, wishes } = this.#speaking;
    if (!wishes.singleUtterance || this.#utteranceEnd !== undefined) return NO_MESSAGES;
    this.#utteranceEnd = time;
    const message = api.messages.event?.(SPEECH_EVENTS.endOfSingleUtterance, time);
    return message === undefined ? NO_MESSAGES : [this.#streamed(message)];
  }

  #streamed(message: Plain): Message {
    return typesOf(this.#speaking.api).streamResponse.encode(message).finish();
  }

  #whole(): Message {
    const { api } = this.#speaking;
    return typesOf(api).wholeResponse.encode(api.messages.whole(this.#results)).finish();
  }
}

function unknownFormat(reason: string): Input {
  const problem = `the audio has no WAV header that says its format, and the configuration has no encoding with a sample_rate_hertz: ${reason}`;
  return { kind: "refused", error: new ProtocolError("unsupported_format", problem), meant: "start" };
}
