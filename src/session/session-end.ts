import type { Ending } from "../protocol/ending.ts";
import { errorEvent } from "../protocol/error-event.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import type { StopReason } from "../protocol/events.ts";
import { warningEvent } from "../protocol/warning-event.ts";
import type { Abort } from "../stream/stream.ts";
import type { Violation } from "./connection.ts";
import type { Deadlines, Expired } from "./deadlines.ts";
import type { SessionParts } from "./session-parts.ts";
import { stopReason } from "./stop-reasons.ts";

/** The end of a session that still answers what it has received. */
interface Finish {
  readonly ending: ErrorCode | "drain";
  /** Reason of the open stream's `stopped`. */
  readonly reason: StopReason;
  /** The limit to report. Undefined: the client has been told. */
  readonly limit: Expired | undefined;
  /** Time, in milliseconds, at which what has no answer is given up. */
  readonly until: number;
}

const DRAINING: Expired = { code: "draining", message: "the server is shutting down" };
const DRAIN: Omit<Finish, "until"> = { ending: "drain", reason: "drain", limit: undefined };

/**
 * The end of a session. While it drains, the open stream goes on and no other may start. While it finishes, everything
 * received is processed and later messages are ignored. When it is over, the connection is closed.
 */
export class SessionEnd {
  readonly #parts: SessionParts;
  #draining = false;
  #finish: Finish | undefined;
  /** The limit has been reported, or the open stream will do so. */
  #reported = false;
  #over = false;
  /** The connection has been told to close, or is gone. */
  #closed = false;

  constructor(parts: SessionParts) {
    this.#parts = parts;
  }

  /** Messages that come now are ignored. */
  get finishing(): boolean {
    return this.#finish !== undefined;
  }

  get over(): boolean {
    return this.#over;
  }

  /**
   * Ends the session when no stream is open. @param deadlineMs milliseconds for which the open one may go on, unless
   * nothing can become of it
   */
  drain(deadlineMs: number): void {
    if (this.#over || this.#finish !== undefined || this.#draining) return;
    const isHopeless = this.#parts.conversation.stream?.isHopeless === true;
    this.#draining = true;
    this.#parts.send({ ...warningEvent("draining"), deadline_ms: isHopeless ? 0 : deadlineMs });
    if (isHopeless) this.finish("drain", "drain");
  }

  /**
   * Ends the session when everything received is answered, for which there is `limits.finish_ms`.
   * @param reason of the open stream's `stopped`
   * @param limit reported before `stopped`, or before the close when no stream is open
   */
  finish(ending: Finish["ending"], reason: StopReason, limit?: Expired): void {
    const { clock, config } = this.#parts.services;
    this.#finish ??= { ending, reason, limit, until: clock() + config.limits.finish_ms };
  }

  /** The server drains, and no stream may start. */
  get #isClosing(): boolean {
    return this.#draining && this.#parts.dialect.awaitsStream?.() !== true;
  }

  /** Ends the session, after the open stream, if its dialect cannot go on after this error. */
  after(code: ErrorCode): void {
    const { conversation, dialect } = this.#parts;
    if (this.#over || this.#finish !== undefined || dialect.endsAt?.(code) !== true) return;
    this.finish(code, "error");
    conversation.inputs.clear();
  }

  /** Ends the session when a limit has been reached. @param now milliseconds */
  check(deadlines: Deadlines, now: number): void {
    const slow = deadlines.slowReader(now);
    if (slow !== undefined) return this.#endUnread(slow);
    if (this.#finish !== undefined) {
      if (now >= this.#finish.until && !this.#staysForCalls) this.giveUp();
      return;
    }
    const limit = deadlines.expired(now);
    if (limit !== undefined) this.finish(limit.code, "limit", limit);
    else if (this.#draining && deadlines.isSilent(now)) this.finish("drain", "drain");
  }

  /** Ends the session of a client that reads nothing. Its spans have no errors of their own, only the ledger. */
  #endUnread({ code, message }: Expired): void {
    this.#parts.outbox.withholdFailures();
    this.#abort({ code, message, reason: stopReason(code), last: errorEvent({ code, message }) });
  }

  /** Ends a session that finishes: errors name what has no answer. */
  giveUp(): void {
    const { ending, reason, limit }: Omit<Finish, "until"> = this.#finish ?? DRAIN;
    const { finish_ms } = this.#parts.services.config.limits;
    const message = `there was no answer within the ${finish_ms} ms of limits.finish_ms`;
    const code = ending === "drain" ? DRAINING.code : ending;
    this.#abort({ code, message, reason, last: limit && errorEvent(limit) });
  }

  /** Ends the session in place of a start that comes too late. Returns false when streams may start. */
  refuseStart(): boolean {
    const error = this.#finish?.limit ?? (this.#isClosing ? DRAINING : undefined);
    if (error === undefined) return false;
    this.#parts.services.metrics.streamRefused(error.code);
    this.fail(error.code, error.message);
    return true;
  }

  /**
   * Ends the stream, then the session, if it is time for that when every input has been handled. Returns false when
   * nothing is left to do now.
   */
  leave(): boolean {
    const { conversation, send } = this.#parts;
    const { stream, inputs } = conversation;
    if (stream === undefined && this.#staysForCalls) return false;
    if (this.#finish !== undefined) {
      const { ending, reason, limit } = this.#finish;
      const error = limit && errorEvent(limit);
      if (stream === undefined) {
        if (error !== undefined && !this.#reported) send(error);
        this.close(ending, limit?.message ?? "");
      } else {
        stream.end(reason, error);
        this.#reported = true;
      }
    } else if (inputs.finished) {
      if (stream === undefined) this.close("stop", "");
      else stream.end("stop");
    } else {
      if (this.#isClosing && stream === undefined) this.close("drain", "");
      return false;
    }
    return stream !== undefined;
  }

  /**
   * Ends the session with an error. It is called from everywhere. Throws only when the connection cannot be closed,
   * either. @param param the field that it is about
   */
  fail(code: ErrorCode, message: string, param?: string): void {
    const last = param !== undefined && { last: errorEvent({ code, message, param }) };
    this.#abort({ code, message, reason: stopReason(code), ...last });
  }

  /** Closes the connection. @param message explanation for a person */
  close(ending: Ending, message: string): void {
    const { conversation, dialect, outbox, log } = this.#parts;
    const end = dialect.close(ending, message);
    this.#markOver(ending === "drain" ? "draining" : ending);
    conversation.inputs.clear();
    outbox.close(end);
    this.#closed = true;
    log.closed(end.code, end.reason);
  }

  /**
   * The connection is gone: queued jobs are dropped, and the ledger goes to the log.
   * @param violation why the transport has closed it; undefined: the client did
   */
  disconnect(violation: Violation | undefined): void {
    this.#closed = true;
    if (this.#over) return;
    const { conversation, log } = this.#parts;
    const { stream } = conversation;
    let left = stream === undefined;
    const reason = (): string => violation ?? (left ? "client" : "vanished");
    const message = "the client is gone";
    const abort: Abort = { code: "internal", message, reason: "error", metricsReason: "vanished" };
    using rest = new DisposableStack();
    rest.defer(() => log.disconnected(reason()));
    rest.defer(() => conversation.inputs.clear());
    rest.defer(() => {
      if (this.#abortStream(abort))
        log.streamStopped({ reason: "vanished", violation, channels: stream?.ledger() ?? [] });
    });
    rest.defer(() => this.#markOver(reason()));
    rest.defer(() => {
      if (violation === undefined && conversation.left()) left = true;
    });
  }

  /** The server shuts down, and more is to come of calls, although no stream is open. */
  get #staysForCalls(): boolean {
    const ending = this.#finish?.ending ?? (this.#draining ? "drain" : undefined);
    return ending === "drain" && this.#parts.watchesOpenCalls();
  }

  #abort(abort: Abort): void {
    // A fault in the middle of the end has left the connection open.
    if (this.#over) return this.#closed ? undefined : this.close("internal", abort.message);
    const { log, send } = this.#parts;
    try {
      if (!this.#abortStream(abort)) send(abort.last ?? errorEvent(abort));
      this.close(abort.code, abort.message);
    } catch (error) {
      log.crashed(error);
      log.streamStopped({ reason: "error", channels: [] });
      this.close("internal", "");
    }
  }

  /** Ends the open stream, also when its inputs cannot be counted. Returns false when no stream is open. */
  #abortStream(abort: Abort): boolean {
    const { conversation } = this.#parts;
    try {
      return conversation.abort(abort);
    } catch (error) {
      conversation.stream?.abort(abort, 0);
      throw error;
    }
  }

  /** @param reason of the end, in the metrics */
  #markOver(reason: string): void {
    if (this.#over) return;
    const { conversation, gate, services } = this.#parts;
    this.#over = true;
    using rest = new DisposableStack();
    rest.defer(() => services.metrics.sessionClosed(reason));
    rest.defer(() => gate.leave());
    rest.defer(() => conversation.leave());
  }
}
