import type { ServerMetrics } from "../telemetry/metrics/server-metrics.ts";
import type { Connection } from "./connection.ts";

/** Pauses the connection while too much waits to be read, so that TCP holds the client back. */
export class ReadGate {
  readonly #connection: Connection;
  readonly #metrics: ServerMetrics;
  readonly #limit: number;
  readonly #clock: () => number;
  #closed = false;
  /** Time, in milliseconds, up to which the pause has been counted. */
  #countedUntil = 0;

  /** @param limit bytes; with more waiting the connection is paused until nothing waits */
  constructor(connection: Connection, metrics: ServerMetrics, limit: number, clock: () => number) {
    this.#connection = connection;
    this.#metrics = metrics;
    this.#limit = limit;
    this.#clock = clock;
  }

  /** The connection is paused. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Pauses or resumes by what waits now. */
  update(waiting: { readonly bytes: number; readonly empty: boolean }): void {
    if (!this.#closed && waiting.bytes > this.#limit) {
      this.#closed = true;
      this.#countedUntil = this.#clock();
      this.#metrics.sessionPaused();
      this.#connection.pause();
    } else if (this.#closed && waiting.empty) {
      this.count();
      this.#closed = false;
      this.#connection.resume();
    }
  }

  /** Adds the time since the last call to the metric of paused time. */
  count(): void {
    if (!this.#closed) return;
    const now = this.#clock();
    this.#metrics.addPausedTime(now - this.#countedUntil);
    this.#countedUntil = now;
  }
}
