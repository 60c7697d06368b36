import type { Dialect, Message } from "../dialects/dialect.ts";
import type { ResultAudio } from "../model/job.ts";
import type { Ended } from "../protocol/ending.ts";
import type { ServerEvent } from "../protocol/events.ts";
import type { ServerMetrics } from "../telemetry/metrics/server-metrics.ts";
import type { Connection } from "./connection.ts";
import type { QueueBudget } from "./queue-budget.ts";

/**
 * Audio is no longer read when the outbox is half full, but the audio read by then may still have results of this size:
 * a client that takes those is not a slow reader. With one more result it is less than the transport's own limit.
 */
const OWED_BYTES = 16 * 1024 * 1024;

/**
 * The session's events on their way out: the dialect turns them into messages, and the connection buffers those that
 * the client has not taken. This watches how many bytes they are.
 */
export class Outbox {
  readonly #connection: Connection;
  readonly #dialect: Dialect;
  readonly #metrics: ServerMetrics;
  readonly #limit: number;
  readonly #budget: QueueBudget;
  /** Bytes that waited at the last look. */
  #waiting = 0;
  /** Bytes given to the connection so far. */
  #written = 0;
  #overflowed = false;
  #isSending = false;
  #namesFailures = true;
  /** Since when, in milliseconds, nothing has left, and the bytes that had left by then. */
  #stuck: { readonly since: number; readonly left: number } | undefined;

  /**
   * @param limit bytes; above half of it the outbox is congested
   * @param budget of what waits in all sessions
   */
  constructor(connection: Connection, dialect: Dialect, metrics: ServerMetrics, limit: number, budget: QueueBudget) {
    this.#connection = connection;
    this.#dialect = dialect;
    this.#metrics = metrics;
    this.#limit = limit;
    this.#budget = budget;
  }

  /** Bytes that wait now. */
  get bytes(): number {
    return this.#connection.buffered;
  }

  /** The client reads too slowly: no more of its audio is taken until it has caught up. */
  get congested(): boolean {
    return this.#waiting > 0 && this.#waiting > this.#budget.limit(this.#limit / 2);
  }

  /** A message is being given to the connection: other results of the same moment may follow. */
  get isSending(): boolean {
    return this.#isSending;
  }

  /** More waits than results of audio taken before the congestion can explain. */
  get overflowed(): boolean {
    return this.#overflowed;
  }

  /**
   * Sends an event and the audio of a result. Returns false when an interim or a checkpoint was held back, since the
   * client reads too slowly.
   */
  send(event: ServerEvent, audio?: ResultAudio): boolean {
    // It would be out of date before the client could read it.
    const isLasting = event.type !== "checkpoint" && (event.type !== "segment" || event.is_final !== false);
    if (!isLasting && this.congested) return false;
    if (event.type === "error" && event.start_time !== undefined && !this.#namesFailures) return true;
    const messages = this.#dialect.write(event, audio);
    if (messages.length === 0) return true;
    this.reply(messages);
    this.#metrics.eventSent(event);
    return true;
  }

  /** Sends no error for a span from now on, since the client reads nothing: they may be thousands. */
  withholdFailures(): void {
    this.#namesFailures = false;
  }

  /** Sends messages of the dialect's own, in order. */
  reply(messages: readonly Message[]): void {
    let bytes = 0;
    this.#isSending = true;
    try {
      for (const message of messages) {
        this.#connection.send(message);
        bytes += this.#count(message);
      }
    } finally {
      this.#isSending = false;
    }
    this.#written += bytes;
    this.look();
    // One result always fits, however large: the messages beside it have not been read.
    if (this.#waiting - bytes > this.#limit + OWED_BYTES) this.#overflowed = true;
  }

  /** Updates how much waits. */
  look(): void {
    this.#waiting = this.#connection.buffered;
  }

  /**
   * Returns true when messages have waited for `patience` milliseconds in which none left. To be called a few times a
   * second.
   */
  standsStill(now: number, patience: number): boolean {
    if (this.#waiting > 0) this.look();
    // How much waits is no measure: it stays the same while as much is added as leaves.
    const left = this.#written - this.#waiting;
    if (this.#waiting === 0) this.#stuck = undefined;
    else if (this.#stuck === undefined || left > this.#stuck.left) this.#stuck = { since: now, left };
    return this.#stuck !== undefined && now - this.#stuck.since >= patience;
  }

  /** Sends what waits, and the last messages of `end`, and closes the connection. */
  close(end: Ended): void {
    this.#connection.close(end);
  }

  #count(message: Message): number {
    const { sent } = this.#metrics;
    if (typeof message !== "string") {
      sent.countAudio(message.length);
      return message.length;
    }
    const bytes = Buffer.byteLength(message);
    sent.countText(bytes);
    return bytes;
  }
}
