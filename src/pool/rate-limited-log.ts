import type { Clock } from "../lib/clock.ts";

export interface Log {
  warn(event: string, fields?: Record<string, unknown>): void;
}

/** Most often that one kind of warning is logged. */
const INTERVAL_MS = 1000;

/** Warnings at most once per interval and event; what was left out is counted in the next one. A model that fails a thousand
 *  times a second should not fill a disk. */
export class RateLimitedLog {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #last = new Map<string, { atMs: number; leftOut: number }>();

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  /** @param event one of a few fixed words. */
  warn(event: string, fields: Record<string, unknown>): void {
    const now = this.#clock.now();
    const last = this.#last.get(event);
    if (last && now - last.atMs < INTERVAL_MS) {
      last.leftOut++;
      return;
    }
    this.#last.set(event, { atMs: now, leftOut: 0 });
    this.#log.warn(event, last?.leftOut ? { ...fields, left_out: last.leftOut } : fields);
  }
}
