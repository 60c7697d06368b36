import { type Clock, systemClock } from "../../lib/clock.ts";

/** Signals that follow within this time, in milliseconds, belong to the first. It is too short for a second key press. */
const TOGETHER_MS = 150;

/**
 * Tells a second request to end from a second copy of the first. `timeout` signals the process and then its group, and a
 * terminal that closes sends SIGHUP twice: from the shell and from the kernel.
 */
export class SignalRepeats {
  readonly #clock: Pick<Clock, "now">;
  #firstMs: number | undefined;

  constructor(clock: Pick<Clock, "now"> = systemClock) {
    this.#clock = clock;
  }

  /** Takes a signal. Returns `first`, `copy` of the first, or `second` for one that a person or a supervisor sent later. */
  receive(): "first" | "copy" | "second" {
    const now = this.#clock.now();
    if (this.#firstMs === undefined) {
      this.#firstMs = now;
      return "first";
    }
    return now - this.#firstMs < TOGETHER_MS ? "copy" : "second";
  }
}
