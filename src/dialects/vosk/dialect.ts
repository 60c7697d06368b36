import * as v from "valibot";

import type { Config } from "../../config/settings.ts";
import { describeValue } from "../../lib/excerpt.ts";
import type { Ended, Ending } from "../../protocol/ending.ts";
import { type ErrorRow, ERRORS, ProtocolError } from "../../protocol/errors.ts";
import type { ErrorEvent, ServerEvent } from "../../protocol/events.ts";
import type { AudioFormat } from "../../protocol/format.ts";
import { parseJson } from "../../protocol/message-fields.ts";
import { readRequest, type Request } from "../../protocol/requests.ts";
import type { Dialect, Input, Message, OfferedModel } from "../dialect.ts";
import { chooseModel, optionsFor } from "../models.ts";
import { WavStart } from "../wav-start.ts";
import { type Spoken, spokenOf } from "../words.ts";
import { type Control, controlSchema, type ResultShape, type ServerMessage, writeResult } from "./messages.ts";

const NO_INPUTS: readonly Input[] = [];
const NO_MESSAGES: readonly Message[] = [];

/** Rate of the original's server: the sample for browsers sends no other, and does not say so. Hz. */
const DEFAULT_RATE = 8_000;
/** The begin of a WAV file, which some clients send as it is. */
const RIFF = Buffer.from("RIFF");
const INTERIM_MS = 500;
/** Results that wait for messages to be the answers of. When there are more, one answer has all of them. */
export const MAX_WAITING = 16;

const NOTHING_SAID: Spoken = { text: "", words: [], confidence: 1, language: undefined, others: {} };

export interface VoskOptions {
  readonly config: Pick<Config, "limits" | "dialects">;
  /** The models that the client may use, the default first. */
  readonly models: readonly OfferedModel[];
}

/**
 * The protocol of vosk-server: every message of audio has exactly one answer, for which most clients wait before they
 * send on. `docs/dialects/vosk.md` describes it.
 */
export class VoskDialect implements Dialect {
  readonly #options: VoskOptions;
  #config: NonNullable<Control["config"]> = {};
  /** A stream is open, as far as messages have been read. */
  #isOpen = false;
  #ending = false;
  /** The begin of a WAV file, up to the end of its header. */
  #wav: WavStart | undefined;
  /** Channels of the open stream: a WAV header may have several. */
  #channels = 1;
  /** Answers to flushes, of which each channel has one. */
  #flushed = 0;
  #partial = "";
  /** Results that the client has not been told. */
  #results: Spoken[] = [];

  constructor(options: VoskOptions) {
    this.#options = options;
  }

  begin(): readonly Input[] {
    return NO_INPUTS;
  }

  read(message: Message): readonly Input[] {
    if (this.#ending) return NO_INPUTS;
    if (typeof message !== "string") return [...this.#readAudio(message), this.#answer];
    try {
      return this.#control(readControl(message));
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return [{ kind: "refused", error }];
    }
  }

  write(event: ServerEvent): readonly Message[] {
    switch (event.type) {
      case "segment":
      case "data": {
        const [start, end] = event.type === "segment" ? [event.start_time, event.end_time] : [0, 0];
        const spoken = spokenOf(event, { start, end }, this.#options.config.dialects.untexted);
        if (spoken !== undefined) this.#take(spoken, event.type === "data" || event.is_final !== false);
        return NO_MESSAGES;
      }
      case "started":
        this.#channels = event.format.channels;
        this.#flushed = 0;
        return NO_MESSAGES;
      case "flushed":
        this.#flushed += 1;
        return this.#flushed % this.#channels === 0 ? [this.#rest()] : NO_MESSAGES;
      case "stopped":
        return event.reason === "stop" || event.reason === "drain" ? [this.#rest()] : NO_MESSAGES;
      case "error":
        return this.#failed(event);
      default:
        return NO_MESSAGES;
    }
  }

  /** A client has one stream, and nothing to try again with. */
  endsAt(): boolean {
    return true;
  }

  close(ending: Ending): Ended {
    if (ending === "stop") return { ending, code: 1000, reason: "" };
    if (ending === "drain") return { ending, code: 1001, reason: "draining" };
    if (ending === "slow_reader") return { ending, code: 1011, reason: ending };
    const { close = 1008 }: ErrorRow = ERRORS[ending];
    return { ending, code: close, reason: ending };
  }

  #control({ config, eof, reset }: Control): readonly Input[] {
    if (config !== undefined) {
      this.#config = config;
      // What follows has another format, or another model: the next audio starts anew.
      this.#isOpen = false;
      return NO_INPUTS;
    }
    if (isSet(eof)) return this.#end();
    if (!isSet(reset)) {
      throw new ProtocolError("unknown_request", "found no field that is known; allowed: config, eof, reset");
    }
    return this.#isOpen
      ? [{ kind: "request", request: { request: "flush" } }]
      : [{ kind: "reply", messages: () => [this.#rest()] }];
  }

  #end(): readonly Input[] {
    const starts = this.#isOpen ? NO_INPUTS : this.#start(this.#format());
    // What may have begun a file was audio.
    const held = (this.#wav?.take() ?? []).map((bytes): Input => ({ kind: "audio", bytes }));
    this.#wav = undefined;
    this.#ending = true;
    return [...starts, ...held, { kind: "request", request: { request: "stop", disconnect: true } }];
  }

  #readAudio(bytes: Uint8Array): readonly Input[] {
    if (this.#isOpen) return [{ kind: "audio", bytes }];
    if (this.#wav === undefined && !startsLikeWav(bytes)) {
      return [...this.#start(this.#format()), { kind: "audio", bytes }];
    }
    this.#wav ??= new WavStart();
    const begun = this.#wav.push(bytes);
    if (begun.status === "more") return NO_INPUTS;
    this.#wav = undefined;
    if (begun.status === "error") {
      const error = new ProtocolError(
        "format_mismatch",
        `the audio has no WAV header that can be read: ${begun.reason}`,
      );
      return [{ kind: "refused", error, meant: "start" }];
    }
    const audio = begun.audio.map((bytes): Input => ({ kind: "audio", bytes }));
    return [...this.#start(begun.format), ...audio];
  }

  #format(): AudioFormat {
    const sample_rate = Math.round(this.#config.sample_rate ?? DEFAULT_RATE);
    return { channels: 1, sample_rate, bit_depth: 16, is_float: false, encoding: "pcm" };
  }

  #start(format: AudioFormat): readonly Input[] {
    try {
      const request = this.#startRequest(format);
      this.#isOpen = true;
      return [{ kind: "request", request }];
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return [{ kind: "refused", error, meant: "start" }];
    }
  }

  #startRequest(format: AudioFormat): Request {
    const { config, models } = this.#options;
    const { model, phrase_list: phrases } = this.#config;
    const chosen = chooseModel(typeof model === "string" ? model : undefined, models, config.dialects);
    const vocabulary = Array.isArray(phrases) ? phrases.filter((phrase) => typeof phrase === "string") : undefined;
    const options = optionsFor(chosen.model, { vocabulary });
    return readRequest(
      {
        request: "start",
        format,
        interim_results: chosen.pattern.usesVad,
        interim_interval_ms: INTERIM_MS,
        ...(chosen.name !== undefined && { model: chosen.name }),
        ...(options !== undefined && { options }),
      },
      { maxChannels: config.limits.max_channels },
    );
  }

  #take(spoken: Spoken, isFinal: boolean): void {
    this.#partial = isFinal ? "" : spoken.text;
    if (isFinal) this.#results.push(spoken);
  }

  #failed({ start_time }: ErrorEvent): readonly Message[] {
    if (start_time !== undefined) this.#take(NOTHING_SAID, true);
    return NO_MESSAGES;
  }

  /** Everything that the client has not been told, as one result: it expects one message. */
  #rest(): string {
    const rest = this.#results;
    this.#results = [];
    this.#partial = "";
    return JSON.stringify(writeResult(rest, this.#shape));
  }

  /** When its turn comes: the oldest result, or what there is of one. */
  readonly #answer: Input = {
    kind: "reply",
    messages: () => {
      // A client that sends long messages would be told ever later.
      if (this.#results.length > MAX_WAITING) return [this.#rest()];
      const result = this.#results.shift();
      const partial: ServerMessage = { partial: this.#partial };
      return [JSON.stringify(result === undefined ? partial : writeResult([result], this.#shape))];
    },
  };

  get #shape(): ResultShape {
    const { words, max_alternatives: alternatives } = this.#config;
    return { hasWords: words !== false, hasAlternatives: typeof alternatives === "number" && alternatives > 0 };
  }
}

function readControl(message: string): Control {
  const value = parseJson(message);
  const result = v.safeParse(controlSchema, value);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const param = v.getDotPath(issue) ?? "message";
  const found = `${param}: found ${describeValue(issue.input)}; allowed: ${issue.message}`;
  throw new ProtocolError("invalid_request", found, { param });
}

/** The samples write 1; others may write true. */
function isSet(value: unknown): boolean {
  return value !== undefined && value !== null && value !== 0 && value !== false;
}

function startsLikeWav(bytes: Uint8Array): boolean {
  return bytes.length >= RIFF.length && RIFF.equals(bytes.subarray(0, RIFF.length));
}
