import type { Ended, Ending } from "../../protocol/ending.ts";
import { type ErrorCode, ProtocolError } from "../../protocol/errors.ts";
import type { ErrorEvent, ServerEvent, Stopped } from "../../protocol/events.ts";
import type { Request as ClientRequest } from "../../protocol/requests.ts";
import type { Dialect, Input, Message } from "../dialect.ts";
import { isModelError } from "../model-errors.ts";
import { type Told, ToldUtterances } from "../utterances.ts";
import { type Span, spokenOf } from "../words.ts";
import { closeOf, SERVER_ERROR } from "./closes.ts";
import { readControl } from "./controls.ts";
import type { Control, ServerMessage } from "./messages.ts";
import { milliseconds, turnMessage } from "./turns.ts";

const NO_MESSAGES: readonly Message[] = [];

/** What a connection has been opened with. */
export interface Transcribing {
  /** A UUID. */
  readonly id: string;
  /** Unix time at which the connection ends, seconds. */
  readonly expiresAt: number;
  /** Undefined: none is known yet. */
  readonly model: string | undefined;
  readonly start: ClientRequest;
  readonly formatTurns: boolean;
  readonly untexted: "fields" | "empty";
  /** The model's other fields are sent, too. */
  readonly extras: boolean;
  /** Returns the seconds since the connection was opened. */
  readonly elapsed: () => number;
}

/** The results that are turns: of an utterance, of a block, or of a whole stream. */
type Result = Extract<ServerEvent, { type: "segment" | "data" }>;

/**
 * AssemblyAI's streaming API, version 3: the query of the upgrade starts the one stream of a connection, binary messages
 * are audio, texts control. `docs/dialects/assemblyai.md` describes it.
 */
export class AssemblyAiDialect implements Dialect {
  readonly #transcribing: Transcribing;
  readonly #utterances = new ToldUtterances();
  #started = false;
  #formatTurns: boolean;
  /** Turns that have ended. */
  #turns = 0;
  /** The current turn has a result, so that it needs an end. */
  #begun = false;
  /** The last error that ends the connection, which its close explains. */
  #fault = "";

  constructor(transcribing: Transcribing) {
    this.#transcribing = transcribing;
    this.#formatTurns = transcribing.formatTurns;
  }

  begin(): readonly Input[] {
    const { id, expiresAt: expires_at, model, start } = this.#transcribing;
    // Clients wait for a second only: it comes before anything that may have to wait.
    const configuration = { ...(model !== undefined && { model }), api_version: "v3" } as const;
    const begin = text({ type: "Begin", id, expires_at, configuration });
    return [{ kind: "reply", messages: () => [begin] }, request(start)];
  }

  read(message: Message): readonly Input[] {
    if (typeof message !== "string") return [{ kind: "audio", bytes: message }];
    try {
      return [this.#control(readControl(message))];
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return [{ kind: "refused", error }];
    }
  }

  write(event: ServerEvent): readonly Message[] {
    return this.#utterances.tell(event).flatMap((told) => this.#tell(told));
  }

  endsAt(code: ErrorCode): boolean {
    // There is one stream, and a client that is not understood is turned away.
    return !this.#started || !isModelError(code);
  }

  close(ending: Ending, message: string): Ended {
    return closeOf(ending, message === "" ? this.#fault : message);
  }

  #control(control: Control): Input {
    switch (control.type) {
      case "ForceEndpoint":
        this.#utterances.flushing();
        return request({ request: "flush" });
      case "Terminate":
        return request({ request: "stop", disconnect: true });
      case "UpdateConfiguration":
        // The others are fixed when a stream starts.
        this.#formatTurns = control.format_turns ?? this.#formatTurns;
        return request({ request: "keep_alive" });
      case "KeepAlive":
        return request({ request: "keep_alive" });
    }
  }

  #tell(told: Told): readonly Message[] {
    if (told.kind === "other") return this.#tellEvent(told.event);
    // Without a result there is no turn that could end.
    if (told.kind === "flushed") return NO_MESSAGES;
    const { segment, endsSpeech, closesFlush } = told;
    return this.#endTurn(segment, spanOf(segment), endsSpeech || closesFlush);
  }

  #tellEvent(event: ServerEvent): readonly Message[] {
    switch (event.type) {
      case "started":
        this.#started = true;
        return NO_MESSAGES;
      case "active":
        return [text({ type: "SpeechStarted", timestamp: milliseconds(event.time) })];
      case "segment":
        return this.#turn(event, spanOf(event));
      case "data":
        return this.#endTurn(event, { start: 0, end: 0 }, false);
      case "error":
        return this.#tellError(event);
      case "stopped":
        return this.#stopped(event);
      default:
        return NO_MESSAGES;
    }
  }

  /** A result that another will replace. */
  #turn(result: Result, span: Span): readonly Message[] {
    const { untexted, extras } = this.#transcribing;
    const spoken = spokenOf(result, span, untexted);
    if (spoken === undefined || spoken.text === "") return NO_MESSAGES;
    this.#begun = true;
    return [text(turnMessage(spoken, { order: this.#turns, ends: false, formatted: false }, extras))];
  }

  /** The last result of a turn. @param wasSpeech without a text, it is reported even if the turn has no result yet */
  #endTurn(result: Result, span: Span, wasSpeech: boolean): readonly Message[] {
    const { untexted, extras } = this.#transcribing;
    const spoken = spokenOf(result, span, untexted);
    if (spoken === undefined || (spoken.text === "" && !wasSpeech && !this.#begun)) return NO_MESSAGES;
    const state = { order: this.#turns, ends: true, formatted: this.#formatTurns };
    this.#turns += 1;
    this.#begun = false;
    return [text(turnMessage(spoken, state, extras))];
  }

  #tellError({ code, message }: ErrorEvent): readonly Message[] {
    if (this.#started && isModelError(code)) {
      return [text({ type: "Warning", warning_code: SERVER_ERROR, warning: `${code}: ${message}` })];
    }
    this.#fault = message;
    return NO_MESSAGES;
  }

  #stopped({ reason, channels: [first] }: Stopped): readonly Message[] {
    if (reason !== "stop" && reason !== "drain") return NO_MESSAGES;
    const seconds = first === undefined ? 0 : first.received / first.received_rate;
    const session_duration_seconds = Math.round(this.#transcribing.elapsed());
    return [text({ type: "Termination", audio_duration_seconds: Math.round(seconds), session_duration_seconds })];
  }
}

function spanOf({
  start_time: start,
  end_time: end,
}: {
  readonly start_time: number;
  readonly end_time: number;
}): Span {
  return { start, end };
}

function text(message: ServerMessage): string {
  return JSON.stringify(message);
}

function request(request: ClientRequest): Input {
  return { kind: "request", request };
}
