import type { Clock } from "../../lib/clock.ts";

/** Receiver of warnings. */
export interface WarningLog {
  warn(event: string, fields?: Record<string, unknown>): void;
}

const DEFAULT_INTERVAL_MS = 1000;

/**
 * Limits warnings to one for each event and interval, so that a model that fails a thousand times a second does not fill
 * a disk. The next warning has the number of omitted ones as `left_out`.
 */
export class RateLimitedLog {
  readonly #log: WarningLog;
  readonly #clock: Pick<Clock, "now">;
  readonly #intervalMs: number;
  readonly #last = new Map<string, { readonly loggedMs: number; omitted: number }>();

  constructor(log: WarningLog, clock: Pick<Clock, "now">, intervalMs = DEFAULT_INTERVAL_MS) {
    this.#log = log;
    this.#clock = clock;
    this.#intervalMs = intervalMs;
  }

  /** @param event one of a small fixed set, because each is kept */
  warn(event: string, fields: Record<string, unknown>): void {
    const now = this.#clock.now();
    const last = this.#last.get(event);
    if (last !== undefined && now - last.loggedMs < this.#intervalMs) {
      last.omitted++;
      return;
    }
    this.#last.set(event, { loggedMs: now, omitted: 0 });
    this.#log.warn(event, last?.omitted ? { ...fields, left_out: last.omitted } : fields);
  }
}
