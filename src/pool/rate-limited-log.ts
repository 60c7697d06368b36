import type { Clock } from "../lib/clock.ts";

/** Receiver of warnings. */
export interface WarningLog {
  warn(event: string, fields?: Record<string, unknown>): void;
}

const INTERVAL_MS = 1000;

/**
 * Limits warnings to one for each event and second, so that a model that fails a thousand times a second does not fill
 * a disk. The next warning has the number of omitted ones as `left_out`.
 */
export class RateLimitedLog {
  readonly #log: WarningLog;
  readonly #clock: Clock;
  readonly #last = new Map<string, { readonly loggedMs: number; omitted: number }>();

  constructor(log: WarningLog, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  /** @param event one of a small fixed set, because each is kept */
  warn(event: string, fields: Record<string, unknown>): void {
    const now = this.#clock.now();
    const last = this.#last.get(event);
    if (last !== undefined && now - last.loggedMs < INTERVAL_MS) {
      last.omitted++;
      return;
    }
    this.#last.set(event, { loggedMs: now, omitted: 0 });
    this.#log.warn(event, last?.omitted ? { ...fields, left_out: last.omitted } : fields);
  }
}
