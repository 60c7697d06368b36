import type { Clock } from "../lib/clock.ts";

/**
 * Wakes its owner soon or at a due time. An earlier due time replaces a later one; the owner sets the next one when it
 * wakes.
 */
export class WakeTimer {
  readonly #clock: Clock;
  readonly #wake: () => void;
  #soon = false;
  #dueMs = Infinity;
  #cancel = (): void => {};

  constructor(clock: Clock, wake: () => void) {
    this.#clock = clock;
    this.#wake = wake;
  }

  /** Wakes in a microtask, once for all calls until then. */
  wakeSoon(): void {
    if (this.#soon) return;
    this.#soon = true;
    queueMicrotask(() => {
      this.#soon = false;
      this.#wake();
    });
  }

  /** @param dueMs on the clock; Infinity: never */
  wakeAt(dueMs: number): void {
    if (dueMs >= this.#dueMs) return;
    this.#cancel();
    this.#dueMs = dueMs;
    this.#cancel = this.#clock.after(Math.max(0, dueMs - this.#clock.now()), () => {
      this.#dueMs = Infinity;
      this.#wake();
    });
  }

  /** Cancels the due time. */
  cancel(): void {
    this.#cancel();
    this.#dueMs = Infinity;
  }
}
