import type { Clock } from "../../src/lib/clock.ts";

/** A clock that the test advances. */
export class ManualClock implements Clock {
  readonly #timers = new Set<{ readonly dueMs: number; readonly task: () => void }>();
  #now = 0;

  now(): number {
    return this.#now;
  }

  after(milliseconds: number, task: () => void): () => void {
    const timer = { dueMs: this.#now + milliseconds, task };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /** Timers that have neither fired nor been cancelled. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Advances the time and runs the tasks that become due, in order. */
  advance(milliseconds: number): void {
    const untilMs = this.#now + milliseconds;
    for (let next = this.#next(); next !== undefined && next.dueMs <= untilMs; next = this.#next()) {
      this.#now = Math.max(this.#now, next.dueMs);
      this.#timers.delete(next);
      next.task();
    }
    this.#now = untilMs;
  }

  #next(): { readonly dueMs: number; readonly task: () => void } | undefined {
    return [...this.#timers].sort((a, b) => a.dueMs - b.dueMs)[0];
  }
}
