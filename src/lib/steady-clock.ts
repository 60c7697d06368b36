import { type Clock, systemClock } from "./clock.ts";

/**
 * A clock that stands still while the process does: frozen by a signal or a debugger, or blocked for long. Time limits
 * measured with it do not expire for what a client sent, or a worker computed, while nobody could look at it.
 *
 * It must be read at least once every `beatMs`. A gap between two readings of more than one and
 * a half beats counts as one beat.
 */
export class SteadyClock implements Clock {
  readonly #source: Clock;
  readonly #beatMs: number;
  #readAt: number;
  /** Milliseconds of the source that did not count. */
  #skipped = 0;

  constructor(beatMs: number, source: Clock = systemClock) {
    this.#source = source;
    this.#beatMs = beatMs;
    this.#readAt = source.now();
  }

  now(): number {
    const now = this.#source.now();
    const gap = now - this.#readAt;
    if (gap > 1.5 * this.#beatMs) this.#skipped += gap - this.#beatMs;
    this.#readAt = now;
    return now - this.#skipped;
  }

  after(milliseconds: number, task: () => void): () => void {
    const due = this.now() + milliseconds;
    let cancel: () => void;
    const wait = (delay: number): void => {
      cancel = this.#source.after(delay, () => {
        const left = due - this.now();
        if (left > 0) wait(left);
        else task();
      });
    };
    wait(milliseconds);
    return () => cancel();
  }
}
