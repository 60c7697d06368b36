import type { Dialect, Message, Opened } from "../dialects/dialect.ts";
import type { ResultAudio } from "../model/job.ts";
import type { Caller } from "../protocol/caller.ts";
import type { Ending } from "../protocol/ending.ts";
import { errorEvent } from "../protocol/error-event.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import type { ServerEvent } from "../protocol/events.ts";
import { warningEvent } from "../protocol/warning-event.ts";
import type { Services } from "../stream/services.ts";
import type { Accepted, Connection } from "./connection.ts";
import { Conversation, type ConversationOwner } from "./conversation.ts";
import { Deadlines } from "./deadlines.ts";
import { MessageMeter } from "./message-meter.ts";
import { Outbox } from "./outbox.ts";
import { ReadGate } from "./read-gate.ts";
import { SessionLog } from "./session-log.ts";
import { stopReason } from "./stop-reasons.ts";

/**
 * One connection and its conversation, whatever transport and dialect it came by: limits, back-pressure and the end are
 * decided here. It is synchronous: `pump` goes as far as it can, and whatever lets it go further calls it again.
 */
export class Session implements ConversationOwner {
  readonly id: string;
  readonly caller: Caller;
  readonly #opened: Opened;
  readonly #services: Services;
  readonly #dialect: Dialect;
  readonly #conversation: Conversation;
  readonly #gate: ReadGate;
  readonly #outbox: Outbox;
  readonly #meter: MessageMeter;
  readonly #deadlines: Deadlines;
  readonly #log: SessionLog;
  /** Why the session ends once everything received is answered; later messages are ignored. */
  #ending: Ending | undefined;
  #pumping = false;
  #over = false;

  constructor(connection: Connection, { id, caller, opened, trace }: Accepted, services: Services) {
    const { clock, config, metrics, log } = services;
    this.id = id;
    this.caller = caller;
    this.#opened = opened;
    this.#services = services;
    this.#dialect = opened.create(id);
    this.#conversation = new Conversation(this, this.#dialect, opened, services, trace);
    this.#gate = new ReadGate(connection, metrics, config.limits.inbox_bytes, clock);
    this.#outbox = new Outbox(connection, this.#dialect, metrics, config.limits.outbox_bytes);
    this.#meter = new MessageMeter(metrics, opened.traits.maxTextBytes, config.limits.max_message_bytes);
    this.#deadlines = new Deadlines(config.limits, opened.traits, this.#outbox, clock());
    this.#log = new SessionLog(log, this, opened, clock);
  }

  /**
   * The state of its places that wait: whether it is not being read, bytes not read, bytes that the client has not
   * taken.
   */
  get load(): { paused: boolean; inboxBytes: number; outboxBytes: number } {
    const { bytes: inboxBytes } = this.#conversation.inputs;
    return { paused: this.#gate.closed, inboxBytes, outboxBytes: this.#outbox.bytes };
  }

  /** Takes a message of the client. */
  receive(message: Message): void {
    if (this.#over) return;
    const { mainThread: thread } = this.#services.metrics;
    this.#deadlines.active(this.#services.clock());
    const oversize = this.#meter.count(message);
    if (oversize !== undefined) return this.#fail("message_too_big", oversize);
    if (this.#ending !== undefined) return;
    this.#conversation.inputs.push(message);
    if (typeof message === "string") thread.enter("request");
    else thread.enterMessage(message.length);
    this.pump();
    thread.leave(undefined);
  }

  /** The client sends no more but still receives, as TCP and gRPC can. The session ends when everything is answered. */
  finished(): void {
    this.#conversation.inputs.finish();
    this.pump();
  }

  /** The client has sent a ping of the transport. */
  pinged(): void {
    if (this.#opened.traits.pingsCount) this.#deadlines.active(this.#services.clock());
  }

  /** Buffered messages have left. */
  writable(): void {
    this.#outbox.look();
    this.pump();
  }

  /** The connection is gone: queued jobs are dropped, and the ledger goes to the log. */
  disconnected(): void {
    if (this.#over) return;
    const { stream } = this.#conversation;
    const reason = stream === undefined ? "client" : "vanished";
    this.#markOver(reason);
    if (this.#conversation.abort("internal", "the client is gone", "error", "vanished")) {
      this.#log.streamStopped({ reason: "vanished", channels: stream?.ledger() ?? [] });
    }
    this.#conversation.inputs.clear();
    this.#log.disconnected(reason);
  }

  /** Goes on as far as possible. */
  pump(): void {
    if (this.#pumping || this.#over) return;
    this.#pumping = true;
    try {
      while (this.#step());
      if (!this.#over) this.#gate.update(this.#conversation.inputs);
    } catch (error) {
      this.failed(error);
    } finally {
      this.#pumping = false;
    }
  }

  /** Checks the time limits. To be called a few times a second. @param now milliseconds of the clock */
  sweep(now: number): void {
    if (this.#over) return;
    // A client that waits for results is not idle, and gets the whole time again when they have come.
    if (this.#gate.closed || !this.#conversation.idle) this.#deadlines.active(now);
    this.#gate.count();
    const expired = this.#deadlines.expired(now);
    if (expired !== undefined) this.#fail(expired.code, expired.message);
    this.pump();
  }

  /** Begins the graceful shutdown: messages that have come are processed, later ones are ignored. */
  drain(): void {
    if (this.#over || this.#ending !== undefined) return;
    this.#ending = "drain";
    try {
      this.send(warningEvent("draining"));
    } catch (error) {
      this.failed(error);
    }
    this.pump();
  }

  /** Ends the session, since the time for the shutdown is up. */
  abortForShutdown(): void {
    this.#fail("draining", "the server shuts down before this could be processed");
  }

  send(event: ServerEvent, audio?: ResultAudio): boolean {
    if (this.#over) return false;
    if (event.type === "started") this.#deadlines.started();
    this.#log.sent(event);
    const { mainThread: thread } = this.#services.metrics;
    const outer = thread.enter("send");
    const sent = this.#outbox.send(event, audio);
    thread.leave(outer);
    if (event.type === "error" && event.start_time === undefined) this.#endAfter(event.code as ErrorCode);
    return sent;
  }

  progress(): void {
    const { mainThread: thread } = this.#services.metrics;
    const outer = thread.enter("receive");
    this.pump();
    thread.leave(outer);
  }

  /** Ends the session after a fault of the server, which costs no other session. */
  failed(error: unknown): void {
    this.#services.log.error("session_crashed", { session: this.id, error });
    this.#conversation.stream?.crashed(error);
    this.#fail("internal", "an internal error of the server; it has been logged");
  }

  evicted(): void {
    this.#fail("overloaded", "the server's memory for audio is full");
  }

  reply(messages: readonly Message[]): void {
    if (!this.#over) this.#outbox.reply(messages);
  }

  /** Returns false when nothing can be done now. */
  #step(): boolean {
    if (this.#over) return false;
    if (this.#outbox.overflowed) {
      this.#fail("slow_reader", "results are not read as fast as they come");
      return false;
    }
    switch (this.#conversation.step(this.#outbox.congested)) {
      case "moved":
        return true;
      case "blocked":
        return false;
      case "disconnect":
        this.#end("stop", "the client asked for it");
        return false;
      case "exhausted":
        return this.#leave();
    }
  }

  /** Ends the session after the open stream when its dialect cannot go on after this error. */
  #endAfter(code: ErrorCode): void {
    if (this.#over || this.#dialect.endsAt?.(code) !== true) return;
    this.#ending = code;
    this.#conversation.inputs.clear();
  }

  /** Ends the stream, then the session, once every input has been handled and no more come. Returns false when done. */
  #leave(): boolean {
    const { stream, inputs } = this.#conversation;
    const ending = this.#ending ?? (inputs.finished ? "stop" : undefined);
    if (ending === undefined) return false;
    if (stream === undefined) this.#end(ending, "");
    else stream.end(ending === "stop" || ending === "drain" ? ending : "error");
    return stream !== undefined;
  }

  /** Ends the session with an error. It is called from everywhere, so it throws nothing. */
  #fail(code: ErrorCode, message: string): void {
    if (this.#over) return;
    try {
      if (!this.#conversation.abort(code, message, stopReason(code))) this.send(errorEvent({ code, message }));
      this.#end(code, message);
    } catch (error) {
      this.#services.log.error("session_crashed", { session: this.id, error });
      this.#log.streamStopped({ reason: "error", channels: [] });
      this.#end("internal", "");
    }
  }

  #end(ending: Ending, message: string): void {
    const end = this.#dialect.close(ending, message);
    this.#markOver(ending === "drain" ? "draining" : ending);
    this.#conversation.inputs.clear();
    this.#outbox.close(end);
    this.#log.closed(end.code, end.reason);
  }

  /** @param reason of the end, in the metrics */
  #markOver(reason: string): void {
    if (!this.#over) this.#services.metrics.sessionClosed(reason);
    this.#gate.count();
    this.#over = true;
  }
}
