import type { Logger } from "./log.ts";

/** Records of one task that may be written at once, and the time after which one more may be. */
const BURST = 100;
const REFILL_MS = 1_000;

/** Records that one task may still write. */
interface Allowance {
  left: number;
  refilledMs: number;
  omitted: number;
}

/**
 * Log of faults of the server that are no session's: of a timer, of a message of a worker. What was to be done is left
 * out, and the server goes on. Each is one record `task_failed` with its stack. Those of a task that always fails are
 * counted in `left_out`, so that they do not fill a disk.
 */
export class FaultLog {
  readonly #log: Pick<Logger, "error">;
  readonly #now: () => number;
  readonly #tasks = new Map<string, Allowance>();

  /** @param now returns milliseconds, monotonic */
  constructor(log: Pick<Logger, "error">, now: () => number = () => performance.now()) {
    this.#log = log;
    this.#now = now;
  }

  /** Logs a fault. Throws nothing. @param task one of a small fixed set, because each is kept */
  record(task: string, error: unknown): void {
    try {
      this.#record(task, error);
    } catch {
      // A fault of the log itself has no other place to go.
    }
  }

  /** Runs a task. A fault of it is logged and ends nothing else. */
  contain(task: string, run: () => void): void {
    try {
      run();
    } catch (error) {
      this.record(task, error);
    }
  }

  #record(task: string, error: unknown): void {
    const now = this.#now();
    let allowance = this.#tasks.get(task);
    if (allowance === undefined) {
      allowance = { left: BURST, refilledMs: now, omitted: 0 };
      this.#tasks.set(task, allowance);
    }
    const refills = Math.floor((now - allowance.refilledMs) / REFILL_MS);
    allowance.left = Math.min(BURST, allowance.left + refills);
    allowance.refilledMs += refills * REFILL_MS;
    if (allowance.left === 0) return void allowance.omitted++;
    allowance.left--;
    const { omitted } = allowance;
    allowance.omitted = 0;
    this.#log.error("task_failed", { task, error, ...(omitted > 0 && { left_out: omitted }) });
  }
}
