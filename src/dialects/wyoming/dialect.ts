import { describeValue } from "../../lib/excerpt.ts";
import type { Ended, Ending } from "../../protocol/ending.ts";
import { type ErrorRow, ERRORS, ProtocolError } from "../../protocol/errors.ts";
import type { ErrorEvent, Segment, ServerEvent, Stopped } from "../../protocol/events.ts";
import type { Fields } from "../../protocol/message-fields.ts";
import { readRequest, type Request } from "../../protocol/requests.ts";
import type { Dialect, Input, Message } from "../dialect.ts";
import { chooseModel, optionsFor } from "../models.ts";
import type { PortHost } from "../port.ts";
import { spokenOf } from "../words.ts";
import { readEvent, writeEvent, type WyomingEvent } from "./events.ts";
import { describeProgram } from "./info.ts";
import { Transcript } from "./transcript.ts";

const NO_INPUTS: readonly Input[] = [];
const NO_MESSAGES: readonly Message[] = [];

/** Silence that ends an utterance, milliseconds, by `vad_sensitivity`. Others, such as `default`: the server's. */
const SENSITIVITIES: ReadonlyMap<unknown, number> = new Map([
  ["aggressive", 300],
  ["relaxed", 1_000],
]);

/** Ends about which the client is told nothing: it does not wait for anything. */
const SILENT: readonly string[] = ["start_timeout", "idle_timeout", "session_limit"];

/** What a client asks for before a command. Undefined: it does not say. */
interface Wishes {
  readonly model?: string | undefined;
  readonly language?: string | undefined;
  /** Milliseconds. */
  readonly silenceMs?: number | undefined;
}

/**
 * The Wyoming protocol of Home Assistant and Rhasspy: a command is one stream, and its texts together are one
 * transcript. `docs/dialects/wyoming.md` describes it.
 */
export class WyomingDialect implements Dialect {
  readonly #host: PortHost;
  #wishes: Wishes = {};
  /** Format of the open stream, as its chunks state it; undefined: none is open, as far as messages have been read. */
  #format: string | undefined;
  /** The stream that starts next belongs to the command before it. */
  #continues = false;
  #transcript = new Transcript();
  #hasFailed = false;

  constructor(host: PortHost) {
    this.#host = host;
  }

  begin(): readonly Input[] {
    return NO_INPUTS;
  }

  read(message: Message): readonly Input[] {
    if (typeof message !== "string") return [{ kind: "audio", bytes: message }];
    let event: WyomingEvent;
    try {
      event = readEvent(message);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return [{ kind: "refused", error }];
    }
    return this.#readEvent(event);
  }

  finished(): readonly Input[] {
    if (this.#format === undefined) return NO_INPUTS;
    this.#format = undefined;
    return [{ kind: "request", request: { request: "stop", disconnect: true } }];
  }

  write(event: ServerEvent): readonly Message[] {
    switch (event.type) {
      case "started":
        return this.#started();
      case "segment":
      case "data":
        return this.#heard(event);
      case "stopped":
        return this.#stopped(event);
      case "error":
        return this.#failed(event);
      default:
        return NO_MESSAGES;
    }
  }

  /** There is nothing to try again with: a client starts the next command on a connection of its own. */
  endsAt(): boolean {
    return true;
  }

  endsAfterStream(): boolean {
    return this.#hasFailed;
  }

  close(ending: Ending): Ended {
    if (ending === "stop") return { ending, code: 1000, reason: "stop" };
    if (ending === "drain") return { ending, code: 1001, reason: "draining" };
    const { close = 1011 }: ErrorRow = ERRORS[ending];
    return { ending, code: close, reason: ending };
  }

  #readEvent({ type, data, payloadBytes }: WyomingEvent): readonly Input[] {
    switch (type) {
      case "describe":
        return [reply(() => [writeEvent("info", describeProgram(this.#host))])];
      case "ping":
        return [reply(() => [writeEvent("pong", textField(data["text"]))])];
      case "transcribe":
      case "select-program":
        this.#wish(data);
        return NO_INPUTS;
      case "audio-start":
        return [this.#start(data, false)];
      case "audio-chunk":
        return this.#chunk(data, payloadBytes);
      case "audio-stop":
        return [this.#stop()];
      default:
        return NO_INPUTS;
    }
  }

  /** A client names what it wants in one event or in several. */
  #wish({ name, language, vad_sensitivity: sensitivity }: Fields): void {
    const { model, language: before, silenceMs } = this.#wishes;
    this.#wishes = {
      model: typeof name === "string" && name !== "" ? name : model,
      language: typeof language === "string" && language !== "" ? language : before,
      silenceMs: sensitivity === undefined || sensitivity === null ? silenceMs : SENSITIVITIES.get(sensitivity),
    };
  }

  #chunk(data: Fields, payloadBytes: number): readonly Input[] {
    if (payloadBytes === 0 || this.#format === formatName(data)) return NO_INPUTS;
    return [this.#start(data, this.#format !== undefined)];
  }

  /** @param continues the command goes on in another format */
  #start(data: Fields, continues: boolean): Input {
    this.#continues = continues;
    try {
      const request = this.#startRequest(data);
      this.#format = formatName(data);
      return { kind: "request", request };
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#format = undefined;
      return { kind: "refused", error, meant: "start" };
    }
  }

  #startRequest({ rate, width, channels }: Fields): Request {
    const { config, models } = this.#host;
    const { limits, dialects } = config;
    const { model, language, silenceMs } = this.#wishes;
    const chosen = chooseModel(model, models(), dialects);
    const options = optionsFor(chosen.model, { language });
    const isTuned = silenceMs !== undefined && chosen.pattern.usesVad;
    return readRequest(
      {
        request: "start",
        format: { channels, sample_rate: rate, bit_depth: bitsOf(width), is_float: false },
        interim_results: false,
        ...(chosen.name !== undefined && { model: chosen.name }),
        ...(options !== undefined && { options }),
        ...(isTuned && { vad: { min_silence_ms: Math.max(silenceMs, dialects.min_silence_ms) } }),
      },
      { maxChannels: limits.max_channels },
    );
  }

  #stop(): Input {
    // A command without audio has a transcript as well.
    if (this.#format === undefined) return reply(() => this.#endTranscript());
    this.#format = undefined;
    return { kind: "request", request: { request: "stop", disconnect: false } };
  }

  #started(): readonly Message[] {
    const cancelled = this.#continues ? NO_MESSAGES : this.#transcript.cancel();
    if (!this.#continues) this.#transcript = new Transcript();
    this.#continues = false;
    this.#transcript.streamStarted();
    return cancelled;
  }

  #heard(event: Segment | Extract<ServerEvent, { type: "data" }>): readonly Message[] {
    if (event.type === "segment" && event.is_final === false) return NO_MESSAGES;
    const [start, end] = event.type === "segment" ? [event.start_time, event.end_time] : [Infinity, Infinity];
    const spoken = spokenOf(event, { start, end }, this.#host.config.dialects.untexted);
    if (spoken === undefined) return NO_MESSAGES;
    return this.#transcript.add(spoken.text.trim(), start, spoken.language);
  }

  #stopped({ reason }: Stopped): readonly Message[] {
    return reason === "stop" || reason === "drain" ? this.#endTranscript() : NO_MESSAGES;
  }

  #endTranscript(): readonly Message[] {
    const { messages, failure } = this.#transcript.end(this.#wishes.language);
    this.#transcript = new Transcript();
    if (failure === undefined) return messages;
    this.#hasFailed = true;
    return [errorMessage(failure)];
  }

  #failed(error: ErrorEvent): readonly Message[] {
    if (error.start_time !== undefined) {
      this.#transcript.failed(error);
      return NO_MESSAGES;
    }
    return SILENT.includes(error.code) ? NO_MESSAGES : [errorMessage(error)];
  }
}

/** Returns the event that reports an error. A client that does not know it sees the end of the connection. */
export function errorMessage({ code, message }: { readonly code: string; readonly message: string }): string {
  return writeEvent("error", { text: message, code });
}

function reply(messages: () => readonly Message[]): Input {
  return { kind: "reply", messages };
}

function textField(text: unknown): Fields {
  return typeof text === "string" ? { text: text.toWellFormed() } : {};
}

/** Tells formats of chunks apart, valid or not. */
function formatName({ rate, width, channels }: Fields): string {
  return JSON.stringify([rate, width, channels]);
}

/** Returns the bits of a sample from its bytes. Throws ProtocolError. */
function bitsOf(width: unknown): number {
  if (typeof width === "number" && Number.isInteger(width) && width >= 1 && width <= 4) return width * 8;
  const message = `width: found ${describeValue(width)}; allowed: 1, 2, 3 or 4 bytes`;
  throw new ProtocolError("unsupported_format", message, { param: "width" });
}
