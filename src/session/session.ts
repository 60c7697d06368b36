import type { Message, Opened } from "../dialects/dialect.ts";
import type { ResultAudio } from "../model/job.ts";
import type { Caller } from "../protocol/caller.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import type { ServerEvent } from "../protocol/events.ts";
import type { Services } from "../stream/services.ts";
import type { Accepted, Connection, Violation } from "./connection.ts";
import { Conversation, type ConversationOwner } from "./conversation.ts";
import { Deadlines, type Expired } from "./deadlines.ts";
import { MessageMeter } from "./message-meter.ts";
import { Outbox } from "./outbox.ts";
import { inboxLimit, ReadGate } from "./read-gate.ts";
import { SessionEnd } from "./session-end.ts";
import { openSessionHost, type SessionHost, watchesOpenCalls } from "./session-host.ts";
import { SessionLog } from "./session-log.ts";
import { Slice, type Waiting } from "./turns.ts";

/**
 * One connection and its conversation, whatever transport and dialect it came by: limits and back-pressure are decided
 * here, its end in `SessionEnd`. It is synchronous: `pump` goes as far as it can, and whatever lets it go further calls
 * it again.
 */
export class Session implements ConversationOwner, Waiting {
  readonly id: string;
  readonly caller: Caller;
  readonly #opened: Opened;
  readonly #services: Services;
  readonly #conversation: Conversation;
  readonly #gate: ReadGate;
  readonly #outbox: Outbox;
  readonly #meter: MessageMeter;
  readonly #deadlines: Deadlines;
  readonly #log: SessionLog;
  readonly #end: SessionEnd;
  readonly #host: SessionHost;
  readonly #slice: Slice;
  /** Time of the client's last message, in milliseconds. */
  #receivedAt = 0;
  #pumping = false;

  constructor(
    connection: Connection,
    { id, caller, opened, trace }: Accepted,
    services: Services,
    host: SessionHost = openSessionHost(services),
  ) {
    const { clock, config, metrics, log } = services;
    this.id = id;
    this.caller = caller;
    this.#opened = opened;
    this.#services = services;
    const dialect = opened.create(id);
    this.#conversation = new Conversation(this, dialect, opened, services, trace, host.results);
    this.#gate = new ReadGate(connection, metrics, inboxLimit(opened, config), clock, host.inboxes);
    this.#outbox = new Outbox(connection, dialect, metrics, config.limits.outbox_bytes, host.results);
    this.#meter = new MessageMeter(metrics, opened.traits.maxTextBytes, config.limits.max_message_bytes);
    this.#deadlines = new Deadlines(config.limits, opened.traits, this.#outbox, clock());
    this.#log = new SessionLog(log, this, opened, clock);
    this.#host = host;
    this.#slice = new Slice(host.turns, this, clock, () => this.#step());
    this.#end = new SessionEnd({
      conversation: this.#conversation,
      ...{ dialect, services },
      gate: this.#gate,
      outbox: this.#outbox,
      log: this.#log,
      watchesOpenCalls: () => watchesOpenCalls(opened, caller, host),
      send: (event) => void this.send(event),
    });
  }

  /** The state of its places that wait: not being read; bytes not read, not answered, not taken by the client. */
  get load(): { paused: boolean; inboxBytes: number; queuedBytes: number; outboxBytes: number } {
    const { inputs, stream } = this.#conversation;
    const queuedBytes = stream?.queuedBytes ?? 0;
    return { paused: this.#gate.closed, inboxBytes: inputs.bytes, queuedBytes, outboxBytes: this.#outbox.bytes };
  }

  /** Takes a message of the client. */
  receive(message: Message): void {
    if (this.#end.over) return;
    const { mainThread: thread } = this.#services.metrics;
    try {
      this.#receivedAt = this.#services.clock();
      this.#deadlines.active(this.#receivedAt);
      const oversize = this.#meter.count(message);
      if (this.#end.finishing) return;
      if (oversize !== undefined) return this.#end.fail("message_too_big", oversize);
      if (typeof message === "string") thread.enter("request");
      else thread.enterMessage(message.length);
      this.#conversation.receive(message, this.#pumping || this.#outbox.congested);
      this.pump(this.#receivedAt);
    } catch (error) {
      this.failed(error);
    }
    thread.leave(undefined);
  }

  /** The client sends no more but still receives, as TCP and gRPC can. The session ends when everything is answered. */
  finished(): void {
    this.#guard(() => this.#conversation.inputs.finish());
    this.pump();
  }

  /** The client has sent a ping of the transport, which the transport has answered. */
  pinged(): void {
    if (this.#opened.traits.pingsCount) this.#deadlines.active(this.#services.clock());
    this.#outbox.look();
    if (this.#outbox.congested) this.pump();
  }

  /** Buffered messages have left. A transport may report that while it is given one, when results are half reported. */
  writable(): void {
    this.#outbox.look();
    return this.#outbox.isSending ? queueMicrotask(() => this.pump()) : this.pump();
  }

  /**
   * The connection is gone: queued jobs are dropped, and the ledger goes to the log.
   * @param violation why the transport has closed it; undefined: the client did, or the network
   */
  disconnected(violation?: Violation): void {
    this.#end.disconnect(violation);
  }

  /**
   * Goes on as far as possible, or until its slice is used up; then it waits for its turn.
   * @param now milliseconds of the clock
   */
  pump(now: number = this.#services.clock()): void {
    if (this.#pumping || this.#end.over) return;
    this.#pumping = true;
    try {
      this.#slice.run(now);
      if (!this.#end.over) this.#gate.update(this.#conversation.inputs, this.#outbox.congested);
    } catch (error) {
      this.failed(error);
    } finally {
      this.#pumping = false;
    }
  }

  takeTurn(): void {
    const now = this.#services.clock();
    this.#slice.renew(now);
    this.pump(now);
  }

  /** Checks the time limits. To be called a few times a second. @param now milliseconds of the clock */
  sweep(now: number): void {
    if (this.#end.over) return;
    // A client that waits for results is not idle, and gets the whole time again when they have come.
    if (this.#gate.closed || !this.#conversation.idle) this.#deadlines.active(now);
    this.#gate.count();
    this.#end.check(this.#deadlines, now);
    if (this.#end.finishing || !this.#conversation.idle) this.pump(now);
  }

  /**
   * Does what depends on the clock in the open stream. To be called about ten times a second. Returns false when it need
   * not be called again.
   */
  tick(now: number): boolean {
    const { stream } = this.#conversation;
    if (this.#end.over || stream?.watched !== true) return false;
    const reading = !this.#gate.closed && this.#conversation.inputs.empty;
    this.#guard(() => stream.tick(now, this.#receivedAt, reading));
    return true;
  }

  /** Begins the graceful shutdown. @param deadlineMs milliseconds for which the open stream may go on */
  drain(deadlineMs: number): void {
    this.#guard(() => this.#end.drain(deadlineMs));
    this.pump();
  }

  /** Ends the session when what has come is processed. @param limit the reason; undefined: the server shuts down */
  finish(limit?: Expired): void {
    if (this.#end.over) return;
    this.#end.finish(limit?.code ?? "drain", limit === undefined ? "drain" : "limit", limit);
    this.pump();
  }

  /** Ends the session, since the time for the shutdown is up. */
  abortForShutdown(): void {
    this.#end.giveUp();
  }

  send(event: ServerEvent, audio?: ResultAudio): boolean {
    if (this.#end.over) return false;
    if (event.type === "started") {
      this.#deadlines.started();
      if (this.#conversation.stream?.watched === true) this.#host.watch(this);
    }
    this.#log.sent(event);
    const { mainThread: thread } = this.#services.metrics;
    const outer = thread.enter("send");
    const sent = this.#outbox.send(event, audio);
    thread.leave(outer);
    if (event.type === "error" && event.start_time === undefined) this.#end.after(event.code as ErrorCode);
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
    this.#log.crashed(error);
    this.#conversation.stream?.crashed(error);
    this.#end.fail("internal", "an internal error of the server; it has been logged");
  }

  evicted(message: string, code: ErrorCode = "overloaded", param?: string): void {
    this.#end.fail(code, message, param);
  }

  reply(messages: readonly Message[]): void {
    if (!this.#end.over) this.#outbox.reply(messages);
  }

  refuseStart(): boolean {
    return this.#end.refuseStart();
  }

  #guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.failed(error);
    }
  }

  /** Returns false when nothing can be done now. */
  #step(): boolean {
    if (this.#end.over) return false;
    if (this.#outbox.overflowed) {
      this.#end.fail("slow_reader", "results are not read as fast as they come");
      return false;
    }
    const result = this.#conversation.step(this.#outbox.congested);
    if (result === "exhausted") return this.#end.leave();
    if (result === "disconnect") this.#end.close("stop", "the client asked for it");
    return result === "moved";
  }
}
