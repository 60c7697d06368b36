import type { ServerMetrics } from "../telemetry/metrics/server-metrics.ts";
import type { Peer } from "./connection.ts";
import type { Inbox } from "./inbox.ts";

/** Stops reading while too much waits in an inbox, so that TCP holds the client back. */
export class ReadGate {
  readonly #peer: Peer;
  readonly #metrics: ServerMetrics;
  readonly #limit: number;
  readonly #clock: () => number;
  #closed = false;
  /** Since when it is closed, as far as that has been counted. */
  #since = 0;

  /** @param limit bytes; with more in the inbox nothing is read until it is empty */
  constructor(peer: Peer, metrics: ServerMetrics, limit: number, clock: () => number) {
    this.#peer = peer;
    this.#metrics = metrics;
    this.#limit = limit;
    this.#clock = clock;
  }

  /** Nothing is being read. */
  get closed(): boolean {
    return this.#closed;
  }

  /** To be called when the inbox may have changed. */
  follow(inbox: Inbox): void {
    if (!this.#closed && inbox.bytes > this.#limit) {
      this.#closed = true;
      this.#since = this.#clock();
      this.#metrics.sessionPaused();
      this.#peer.pause();
    } else if (this.#closed && inbox.empty) {
      this.count();
      this.#closed = false;
      this.#peer.resume();
    }
  }

  /** Counts how long it has been closed until now. */
  count(): void {
    if (!this.#closed) return;
    const now = this.#clock();
    this.#metrics.addPausedTime(now - this.#since);
    this.#since = now;
  }
}
