import type { ResultAudio } from "../model/job.ts";
import type { Pattern } from "../pipeline/patterns.ts";
import { type ErrorCode, errorEvent, ERRORS, ProtocolError, WARNINGS } from "../protocol/errors.ts";
import type { ServerEvent, Stopped, StopReason } from "../protocol/events.ts";
import { parseRequest, type Request, type Start } from "../protocol/requests.ts";
import { openStream } from "../stream/plan.ts";
import type { Services } from "../stream/services.ts";
import type { Stream } from "../stream/stream.ts";
import type { ConnectionTrace } from "../telemetry/tracing/tracing.ts";
import type { Peer } from "./connection.ts";
import { Inbox } from "./inbox.ts";
import { Outbox } from "./outbox.ts";
import { ReadGate } from "./read-gate.ts";
import { SessionLog } from "./session-log.ts";

export interface SessionOptions {
  readonly id: string;
  readonly peer: Peer;
  readonly pattern: Pattern;
  readonly services: Services;
  readonly trace: ConnectionTrace;
}

/**
 * One connection's conversation: messages in, in order; streams, one at a time; events out. Synchronous: `pump` goes as far as it
 * can and is called again by whatever lets it go further.
 */
export class Session {
  readonly id: string;
  readonly #options: SessionOptions;
  readonly #services: Services;
  readonly #inbox = new Inbox();
  readonly #gate: ReadGate;
  readonly #outbox: Outbox;
  readonly #log: SessionLog;
  readonly #opened: number;
  #stream: Stream | undefined;
  #streams = 0;
  /** A start, valid or not, that waits until the stream before it is over. */
  #held: string | undefined;
  #disconnect = false;
  #draining = false;
  /** Audio that belongs to no stream has been reported. */
  #strayReported = false;
  #heardAt: number;
  #started = false;
  #pumping = false;
  #over = false;
  constructor(options: SessionOptions) {
    this.id = options.id;
    this.#options = options;
    this.#services = options.services;
    const { clock, config, metrics } = options.services;
    this.#opened = this.#heardAt = clock();
    this.#gate = new ReadGate(options.peer, metrics, config.limits.inbox_bytes, clock);
    this.#outbox = new Outbox(options.peer, metrics, config.limits.outbox_bytes);
    this.#log = new SessionLog(this.#services.log, this.id, options.pattern.name, this.#services.clock);
  }

  get paused(): boolean {
    return this.#gate.closed;
  }

  /** Bytes of messages that wait to be decoded. */
  get inboxBytes(): number {
    return this.#inbox.bytes;
  }

  /** A message of the client. */
  receive(message: string | Uint8Array): void {
    if (this.#over) return;
    const { clock, metrics } = this.#services;
    this.#heardAt = clock();
    const { max_message_bytes, max_text_bytes } = this.#services.config.limits;
    const text = typeof message === "string";
    const bytes = text ? Buffer.byteLength(message) : message.length;
    if (text) metrics.received.countText(bytes);
    else metrics.received.countAudio(bytes);
    const limit = text ? max_text_bytes : max_message_bytes;
    if (bytes > limit) {
      const kind = text ? "a text message" : "a binary message";
      this.#fail("message_too_big", `${kind} of ${bytes} bytes; allowed: at most ${limit}`);
      return;
    }
    // While draining, only what had come before counts as received.
    if (this.#draining) return;
    this.#inbox.push(message);
    const { mainThread } = metrics;
    if (text) mainThread.enter("request");
    else mainThread.enterMessage(bytes);
    this.pump();
    mainThread.leave(undefined);
  }

  /** Goes on as far as it can. */
  pump(): void {
    if (this.#pumping || this.#over) return;
    this.#pumping = true;
    try {
      while (this.#step());
      if (!this.#over) this.#gate.follow(this.#inbox);
    } catch (error) {
      this.#crash(error);
    } finally {
      this.#pumping = false;
    }
  }

  /** Something that waited to be sent has left. */
  drained(): void {
    this.#outbox.look();
    this.pump();
  }

  /** Deadlines; `now` as of the clock. To be called a few times a second. */
  sweep(now: number): void {
    if (this.#over) return;
    const { start_timeout_ms, idle_timeout_ms, session_ms, slow_reader_ms } = this.#services.config.limits;
    // Who waits for results is not idle, and gets the whole time again when they have come.
    if (!this.#idle) this.#heardAt = now;
    this.#gate.count();
    if (!this.#started && now - this.#opened >= start_timeout_ms) {
      this.#fail("start_timeout", `no stream was started within ${start_timeout_ms} ms`);
    } else if (session_ms > 0 && now - this.#opened >= session_ms) {
      this.#fail("session_limit", `a session lasts at most ${session_ms} ms`);
    } else if (now - this.#heardAt >= idle_timeout_ms) {
      this.#fail("idle_timeout", `nothing came for ${idle_timeout_ms} ms; keep_alive keeps a session open`);
    } else if (this.#outbox.standsStill(now, slow_reader_ms)) {
      this.#fail("slow_reader", `results have waited for ${slow_reader_ms} ms without being read`);
    }
    this.pump();
  }

  /** The server shuts down: what has come is finished, nothing more is taken. */
  drain(): void {
    if (this.#over || this.#draining) return;
    this.#draining = true;
    try {
      this.#send({ type: "warning", code: "draining", message: WARNINGS.draining });
    } catch (error) {
      this.#crash(error);
    }
    this.pump();
  }

  /** The time for draining is up. */
  cut(): void {
    this.#fail("draining", "the server shuts down before this could be processed");
  }

  /** The client is gone: its queued work is dropped, and its ledger goes to the log. */
  vanished(): void {
    if (this.#over) return;
    const stream = this.#stream;
    const unread = this.#unread;
    this.#end(1006, stream === undefined ? "client" : "vanished");
    if (stream === undefined || stream.over) return;
    stream.abort("internal", "the client is gone", "error", unread, "vanished");
    this.#log.stopped({ reason: "vanished", ledger: stream.ledger() });
  }

  /** Does one thing: goes on with the stream, ends it, or takes the next message. False: nothing can be done now. */
  #step(): boolean {
    if (this.#over) return false;
    if (this.#outbox.overflowed) return this.#fail("slow_reader", "results are not read as fast as they come");
    const stream = this.#stream;
    if (stream !== undefined) {
      if (!stream.advance()) return false;
      if (stream.over) return this.#closeStream();
      // Audio that does not fit stays in the stream; a flush would add to what is pending in any case.
      if (typeof this.#inbox.next === "string" && stream.full) return false;
    }
    if (this.#outbox.congested && !this.#inbox.empty) return false;
    const message = this.#held ?? this.#inbox.shift();
    this.#held = undefined;
    if (message === undefined) return this.#draining && this.#leave();
    if (typeof message !== "string") this.#audio(message);
    else if (stream !== undefined && requestOf(message) === "start") {
      // Also a start that will be refused ends the stream: what follows was not meant for that one.
      this.#held = message;
      stream.end("restart");
    } else this.#handle(message);
    return true;
  }

  #audio(message: Uint8Array): void {
    if (this.#stream !== undefined) this.#stream.offer(message);
    else if (!this.#strayReported) {
      this.#strayReported = true;
      this.#refuse(new ProtocolError("audio_before_start", "audio came while no stream was open; it is discarded"));
    }
  }

  #handle(text: string): void {
    try {
      const { max_channels } = this.#services.config.limits;
      this.#obey(parseRequest(text, { maxChannels: max_channels }));
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      if (requestOf(text) === "start") this.#services.metrics.streamRefused(error.code);
      this.#refuse(error);
    }
  }

  #obey(request: Request): void {
    switch (request.request) {
      case "start":
        this.#begin(request);
        break;
      case "stop":
        this.#open("stop").end("stop");
        this.#disconnect = request.disconnect;
        break;
      case "flush":
        this.#open("flush").flush();
        break;
      case "keep_alive":
        break;
    }
  }

  #open(request: string): Stream {
    if (this.#stream === undefined) throw new ProtocolError("no_stream", `${request}: no stream is open`);
    return this.#stream;
  }

  #begin(start: Start): void {
    const { stream, started } = openStream(start, {
      pattern: this.#options.pattern,
      services: this.#services,
      session: this,
      index: this.#streams,
      trace: this.#options.trace,
      send: (event, audio) => this.#send(event, audio),
      progress: () => this.#goOn(),
      failed: (error) => this.#crash(error),
      evicted: () => this.#fail("overloaded", "the server's memory for audio is full"),
    });
    this.#stream = stream;
    this.#streams += 1;
    this.#started = true;
    this.#strayReported = false;
    this.#log.started(this.#options.pattern.name, started);
    this.#send(started);
  }

  /** What held the stream back is no more. */
  #goOn(): void {
    const { mainThread } = this.#services.metrics;
    const outer = mainThread.enter("receive");
    this.pump();
    mainThread.leave(outer);
  }

  #closeStream(): true {
    this.#stream = undefined;
    if (this.#disconnect) this.#end(1000, "stop");
    return true;
  }

  /** Draining, and all that came has been handled. */
  #leave(): boolean {
    if (this.#stream === undefined) this.#end(1001, "draining");
    else this.#stream.end("drain");
    return !this.#over;
  }

  #refuse(error: ProtocolError): void {
    this.#send(errorEvent(error));
  }

  /** A fatal end: errors for what is not answered, `stopped`, close. Throws nothing: it is called from everywhere. */
  #fail(code: ErrorCode, message: string): false {
    if (this.#over) return false;
    const { close = 1011 } = ERRORS[code] as { close?: number };
    try {
      if (this.#stream === undefined) this.#refuse(new ProtocolError(code, message));
      else this.#stream.abort(code, message, STOP_REASONS[code] ?? "error", this.#unread);
      this.#end(close, code);
    } catch (error) {
      this.#services.log.error("session_crashed", { session: this.id, error });
      this.#log.stopped({ reason: "error", ledger: [] });
      this.#end(1011, "internal");
    }
    return false;
  }

  /** A fault of ours, which costs this session and no other. */
  #crash(error: unknown): void {
    this.#services.log.error("session_crashed", { session: this.id, error });
    this.#stream?.crashed(error);
    this.#fail("internal", "the server has a fault of its own; it has been logged");
  }

  /** Bytes of audio that the open stream has not been offered yet. */
  get #unread(): number {
    return this.#stream?.ending === true ? 0 : this.#inbox.audioBytes(endsStream);
  }

  #end(code: number, reason: string): void {
    if (!this.#over) this.#services.metrics.sessionClosed(reason);
    this.#gate.count();
    this.#over = true;
    this.#stream = undefined;
    this.#held = undefined;
    this.#inbox.clear();
    this.#options.peer.close(code, reason);
    this.#log.closed(code, reason);
  }

  /** False: it was held back. */
  #send(event: ServerEvent, audio?: ResultAudio): boolean {
    if (this.#over) return false;
    if (event.type === "stopped") this.#stopped(event);
    // An interim is out of date soon anyway.
    if (event.type === "segment" && event.is_final === false && this.#outbox.congested) return false;
    const { mainThread } = this.#services.metrics;
    const outer = mainThread.enter("send");
    this.#outbox.write(event, audio);
    mainThread.leave(outer);
    return true;
  }

  #stopped({ reason, channels, trailing_bytes, skipped_bytes }: Stopped): void {
    this.#log.stopped({ reason, ledger: channels, trailing_bytes, skipped_bytes });
  }

  get #idle(): boolean {
    return this.#inbox.empty && !this.#gate.closed && this.#stream?.idle !== false;
  }
}

/** What `stopped` says after a fatal error of some code; "error" after all others. */
const STOP_REASONS: Partial<Record<ErrorCode, StopReason>> = {
  start_timeout: "limit",
  idle_timeout: "limit",
  session_limit: "limit",
  slow_reader: "limit",
  message_too_big: "limit",
  draining: "drain",
};

/** Whether a text ends the stream that is open. */
function endsStream(text: string): boolean {
  const request = requestOf(text);
  return request === "start" || request === "stop";
}

/** What a text is meant as, be it valid or not. */
function requestOf(text: string): unknown {
  try {
    const request: unknown = JSON.parse(text);
    return typeof request === "object" && request !== null && "request" in request ? request.request : undefined;
  } catch {
    return undefined;
  }
}
