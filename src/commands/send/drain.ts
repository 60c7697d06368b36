import type { ReceivedEvent } from "../../client/event-reader.ts";
import type { Clock } from "../../lib/clock.ts";

/**
 * Sending ends so long before the server stops reading, or half of the time that is left if that is shorter: audio that
 * is under way at the deadline would be lost.
 */
const MARGIN_MS = 1_000;

/** Follows the shutdown of the server, which goes on with an open stream up to a deadline that it announces. */
export class Drain implements Disposable {
  readonly #clock: Clock;
  readonly #ending = new AbortController();
  #cancel: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Aborted when no more audio can be sent. */
  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  /** Takes every event. */
  received({ event, receivedMs }: ReceivedEvent): void {
    if (event.type !== "warning" || event.code !== "draining" || this.#cancel !== undefined) return;
    const { deadline_ms: leftMs = 0 } = event;
    // Without time, the server has stopped reading, and `stopped` follows.
    if (leftMs === 0) return;
    const endMs = receivedMs + leftMs - Math.min(MARGIN_MS, leftMs / 2);
    this.#cancel = this.#clock.after(Math.max(0, endMs - this.#clock.now()), () => this.#ending.abort());
  }

  [Symbol.dispose](): void {
    this.#cancel?.();
  }
}
