import type { Config } from "../config/config.ts";
import type { Opened } from "../dialects/dialect.ts";
import type { ServerMetrics } from "../telemetry/metrics/server-metrics.ts";
import type { Connection } from "./connection.ts";
import type { QueueBudget } from "./queue-budget.ts";

/** Bytes of received messages that a session may queue. */
export function inboxLimit({ traits }: Pick<Opened, "traits">, { limits }: Pick<Config, "limits">): number {
  return traits.inboxBytes ?? limits.inbox_bytes;
}

/**
 * Pauses the connection while too much waits to be read, or to be taken by the client, so that TCP holds the client
 * back.
 */
export class ReadGate {
  readonly #connection: Connection;
  readonly #metrics: ServerMetrics;
  readonly #limit: number;
  readonly #clock: () => number;
  readonly #budget: QueueBudget;
  /** Bytes of this session in the budget. */
  #counted = 0;
  #closed = false;
  /** Time, in milliseconds, up to which the pause has been counted. */
  #countedUntil = 0;

  /**
   * @param limit bytes; with more waiting the connection is paused until nothing waits
   * @param budget of what waits in all sessions
   */
  constructor(connection: Connection, metrics: ServerMetrics, limit: number, clock: () => number, budget: QueueBudget) {
    this.#connection = connection;
    this.#metrics = metrics;
    this.#limit = limit;
    this.#clock = clock;
    this.#budget = budget;
  }

  /** The connection is paused. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Pauses or resumes by what waits now.
   * @param congested the client does not take what is sent, and pings alone would add to it: transports answer them
   */
  update(waiting: { readonly bytes: number; readonly empty: boolean }, congested: boolean): void {
    this.#countBytes(waiting.bytes);
    if (!this.#closed && (congested || waiting.bytes > this.#budget.limit(this.#limit))) {
      this.#closed = true;
      this.#countedUntil = this.#clock();
      this.#metrics.sessionPaused();
      this.#connection.pause();
    } else if (this.#closed && waiting.empty && !congested) {
      this.count();
      this.#closed = false;
      this.#connection.resume();
    }
  }

  /** The session is over: nothing of it waits any more. */
  leave(): void {
    // First: a fault of the metrics must not leave the bytes in the budget of all.
    this.#countBytes(0);
    this.count();
  }

  #countBytes(bytes: number): void {
    this.#budget.change(bytes - this.#counted);
    this.#counted = bytes;
  }

  /** Adds the time since the last call to the metric of paused time. */
  count(): void {
    if (!this.#closed) return;
    const now = this.#clock();
    this.#metrics.addPausedTime(now - this.#countedUntil);
    this.#countedUntil = now;
  }
}
