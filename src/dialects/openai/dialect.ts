import type { Ended, Ending } from "../../protocol/ending.ts";
import { type ErrorCode, ProtocolError } from "../../protocol/errors.ts";
import type { ErrorEvent, ServerEvent, Started, Stopped } from "../../protocol/events.ts";
import type { Start } from "../../protocol/requests.ts";
import type { Dialect, Input, Message } from "../dialect.ts";
import { isModelError } from "../model-errors.ts";
import { spokenOf } from "../words.ts";
import { AudioClock } from "./audio-clock.ts";
import { type ClientEvent, readClientEvent } from "./client-events.ts";
import { CommittedTurns } from "./committed-turns.ts";
import { DetectedTurns } from "./detected-turns.ts";
import { closeOf, faultOf } from "./faults.ts";
import { Items } from "./items.ts";
import type { ServerMessage } from "./messages.ts";
import type { Realtime } from "./realtime.ts";
import { type InForce, SessionObject } from "./session-object.ts";
import { bytesPerSecond, DEFAULT_SETTINGS, type SessionSettings, startOf, updateSettings } from "./session-settings.ts";
import type { Turns } from "./turns.ts";

/** Least audio of a commit, seconds. */
const LEAST_COMMIT = 0.1;
/** The span of a result that belongs to the stream as a whole. */
const NO_SPAN = { start: 0, end: 0 };

/** Settings of the client whose stream has not been started yet, and the id of the event that asks for them. */
interface Pending {
  readonly settings: SessionSettings;
  readonly id: string | null;
}

/**
 * OpenAI's Realtime API in a transcription session: texts only, with audio in base64. The stream of a connection starts
 * at once, and again when its settings change. `docs/dialects/openai.md` describes it.
 */
export class OpenAiDialect implements Dialect {
  readonly #realtime: Realtime;
  readonly #items: Items;
  readonly #session: SessionObject;
  readonly #clock = new AudioClock();
  #settings = DEFAULT_SETTINGS;
  #bytesPerSecond = bytesPerSecond(DEFAULT_SETTINGS);
  #actual: InForce;
  #turns: Turns;
  #pending: Pending | undefined;
  #isOpen = false;
  /** New settings were refused when the stream before them had ended: it has to be started again. */
  #fellBack = false;
  /** The code of the error that ends the stream, once it has been sent. */
  #fault: string | undefined;
  /** Messages so far. */
  #count = 0;

  constructor(realtime: Realtime) {
    this.#realtime = realtime;
    this.#items = new Items(realtime.id, realtime.config.dialects.extras === "on");
    this.#items.isBeta = realtime.isBeta;
    this.#session = new SessionObject(realtime.id, realtime.expiresAt);
    this.#actual = realtime.actual;
    this.#turns = new DetectedTurns(this.#items, this.#clock);
  }

  begin(): readonly Input[] {
    return [this.#reply(() => [this.#sessionMessage("created")]), this.#start()];
  }

  read(message: Message): readonly Input[] {
    if (typeof message !== "string") {
      const found = "found a binary message; allowed: texts, with audio as base64 in input_audio_buffer.append";
      return [this.#refuse(new ProtocolError("invalid_request", found), null)];
    }
    const { event, id } = readClientEvent(message);
    return event instanceof ProtocolError ? [this.#refuse(event, id)] : this.#readEvent(event, id);
  }

  write(event: ServerEvent): readonly Message[] {
    return this.#translate(event).map(this.#number);
  }

  endsAt(code: ErrorCode): boolean {
    return code === "overloaded" || code === "message_too_big";
  }

  close(ending: Ending): Ended {
    return closeOf(ending);
  }

  #readEvent(event: ClientEvent, id: string | null): readonly Input[] {
    switch (event.type) {
      case "append":
        return this.#append(event.audio);
      case "commit":
        return this.#commit(id);
      case "clear":
        this.#turns.clear();
        this.#clock.commit();
        return [this.#start(), this.#reply(() => [{ type: "input_audio_buffer.cleared" }])];
      case "update":
        if (event.isBeta) this.#items.isBeta = true;
        return [this.#update(event.session, id)];
    }
  }

  #append(bytes: Uint8Array): readonly Input[] {
    const most = this.#realtime.config.limits.max_message_bytes;
    if (bytes.length > most) {
      const message = `audio: found ${bytes.length} bytes; allowed: at most ${most}`;
      return [{ kind: "refused", error: new ProtocolError("message_too_big", message, { param: "audio" }) }];
    }
    const starts = this.#fellBack ? [this.#start()] : [];
    this.#fellBack = false;
    this.#clock.send(bytes.length / this.#bytesPerSecond);
    return [...starts, { kind: "audio", bytes }];
  }

  #commit(id: string | null): readonly Input[] {
    const seconds = this.#isOpen ? this.#clock.uncommitted : 0;
    if (seconds < LEAST_COMMIT) {
      const message = `found ${Math.floor(seconds * 1000)} ms of audio since the last commit; allowed: at least 100 ms`;
      return [this.#refuse(new ProtocolError("no_stream", message), id)];
    }
    this.#clock.commit();
    return [this.#reply(() => this.#turns.commit()), { kind: "request", request: { request: "flush" } }];
  }

  #update(session: unknown, id: string | null): Input {
    try {
      const settings = updateSettings(this.#settings, session);
      const start = startOf(settings, this.#realtime);
      if (this.#isOpen && this.#isInForce(settings, start)) {
        this.#settings = settings;
        return this.#reply(() => [this.#sessionMessage("updated")]);
      }
      this.#pending = { settings, id };
      return { kind: "request", request: start };
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return this.#refuse(error, id);
    }
  }

  #isInForce({ detectsTurns }: SessionSettings, start: Start): boolean {
    if (detectsTurns !== this.#settings.detectsTurns) return false;
    return JSON.stringify(start) === JSON.stringify(startOf(this.#settings, this.#realtime));
  }

  #translate(event: ServerEvent): ServerMessage[] {
    switch (event.type) {
      case "started":
        return this.#started(event);
      case "active":
        return this.#turns.active(event.time);
      case "inactive":
        return this.#turns.inactive(event.time);
      case "segment":
      case "data": {
        const span = event.type === "data" ? NO_SPAN : { start: event.start_time, end: event.end_time };
        const spoken = spokenOf(event, span, this.#realtime.config.dialects.untexted);
        const isInterim = event.type === "segment" && event.is_final === false;
        return isInterim ? this.#turns.interim(spoken?.text ?? "") : this.#turns.final(span, spoken);
      }
      case "flushed":
        return this.#turns.flushed(event.time);
      case "error":
        return this.#failed(event);
      case "stopped":
        return this.#stopped(event);
      default:
        return [];
    }
  }

  #started({ model, vad }: Started): ServerMessage[] {
    this.#isOpen = true;
    this.#actual = { model, vad };
    this.#clock.padding = (vad?.pre_roll_ms ?? 0) / 1000;
    if (this.#pending === undefined) return [];
    const { settings } = this.#pending;
    this.#pending = undefined;
    if (settings.detectsTurns !== this.#settings.detectsTurns) {
      this.#turns = settings.detectsTurns
        ? new DetectedTurns(this.#items, this.#clock)
        : new CommittedTurns(this.#items);
    }
    this.#settings = settings;
    this.#bytesPerSecond = bytesPerSecond(settings);
    return [this.#sessionMessage("updated")];
  }

  #failed(error: ErrorEvent): ServerMessage[] {
    const { code, start_time: start, end_time: end } = error;
    const failed =
      start === undefined || end === undefined ? [] : this.#turns.failed({ start, end }, error, isModelError(code));
    if (start !== undefined && isModelError(code)) return failed;
    // A shutdown is a good end, which the close reports; another end has one error, however many items it costs.
    if (code === "draining" || this.#fault === code) return failed;
    if (start !== undefined) this.#fault = code;
    const id = this.#pending?.id ?? null;
    if (!this.#isOpen && this.#pending !== undefined) {
      this.#pending = undefined;
      this.#fellBack = true;
    }
    return [...failed, { type: "error", error: { ...faultOf(error), event_id: id } }];
  }

  #stopped({ reason, channels: [channel] }: Stopped): ServerMessage[] {
    const next = this.#pending?.settings ?? this.#settings;
    const goesOn = reason === "restart" && next.detectsTurns === this.#settings.detectsTurns;
    const messages = this.#turns.stopped(goesOn);
    this.#isOpen = false;
    if (channel !== undefined) this.#clock.endStream(channel.received / channel.received_rate);
    if (!goesOn) this.#clock.commit();
    return messages;
  }

  /** A start with the settings in force, which have been checked. */
  #start(): Input {
    return { kind: "request", request: startOf(this.#settings, this.#realtime) };
  }

  #sessionMessage(kind: "created" | "updated"): ServerMessage {
    return this.#session.message(kind, this.#settings, this.#actual, this.#items.isBeta);
  }

  #refuse(error: ProtocolError, id: string | null): Input {
    return this.#reply(() => [{ type: "error", error: { ...faultOf(error), event_id: id } }]);
  }

  #reply(messages: () => readonly ServerMessage[]): Input {
    return { kind: "reply", messages: () => messages().map(this.#number) };
  }

  readonly #number = (message: ServerMessage): string => {
    this.#count += 1;
    return JSON.stringify({ event_id: `event_${this.#count}`, ...message });
  };
}
