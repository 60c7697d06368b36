import { type Deferred, deferred } from "../lib/deferred.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import type { ErrorEvent, ServerEvent, Started } from "../protocol/events.ts";
import { StartRefused } from "./errors.ts";

/** The errors that refuse a `start`. They name no channel. */
const REFUSALS: ReadonlySet<string> = new Set<ErrorCode>([
  "invalid_json",
  "invalid_request",
  "unknown_request",
  "unsupported_format",
  "unknown_model",
  "too_many_requests",
  "model_unavailable",
  "overloaded",
  "draining",
]);

/** Matches the server's replies with the `start` requests that were sent. The protocol replies to them in order. */
export class StartReplies {
  #pendingCount = 0;
  #reply = newReply();

  /** True while the server has not replied to every `start`. */
  get pending(): boolean {
    return this.#pendingCount > 0;
  }

  /** The reply to the last `start` sent. Rejects with StartRefused, or with the error given to `fail`. */
  get reply(): Promise<Started> {
    return this.#reply.promise;
  }

  /** Notes that a `start` was sent. */
  sent(): void {
    if (this.#pendingCount === 0) this.#reply = newReply();
    this.#pendingCount += 1;
  }

  /**
   * Takes every event. Replies to earlier starts are counted only: `reply` is about the last one. Returns whether the
   * event is a reply.
   */
  receive(event: ServerEvent): boolean {
    if (this.#pendingCount === 0 || !isReply(event)) return false;
    this.#pendingCount -= 1;
    if (this.#pendingCount > 0) return true;
    if (event.type === "started") this.#reply.resolve(event);
    else this.#reply.reject(new StartRefused(event));
    return true;
  }

  /** Rejects replies that have not arrived: none comes any more. */
  fail(error: Error): void {
    this.#pendingCount = 0;
    this.#reply.reject(error);
  }
}

function isReply(event: ServerEvent): event is Started | ErrorEvent {
  // After a fatal error, such as draining, no start is answered any more.
  if (event.type === "error") return event.channel === undefined && (event.fatal || REFUSALS.has(event.code));
  return event.type === "started";
}

function newReply(): Deferred<Started> {
  const reply = deferred<Started>();
  // A refusal that no caller awaits is not an unhandled rejection: the reader of the events sees it, too.
  reply.promise.catch(() => undefined);
  return reply;
}
