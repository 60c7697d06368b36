/** Shortest time over which the least wait counts. */
const MIN_WINDOW_MS = 1_000;
/** Calls of all workers that the window has room for, so that slow calls are judged by several, too. */
const WINDOW_CALLS = 8;
/** Share that a new call has in the average duration. */
const CALL_SHARE = 0.1;

/**
 * The wait for a worker that remains: the least wait of all finals in the last second. Queues come and go when streams
 * happen to finish together, and some final then waits for nothing; where even the shortest wait is long, more is asked
 * for than the workers do. (The idea is that of CoDel, RFC 8289.)
 */
export class StandingWait {
  readonly #workers: number;
  #callMs = 0;
  /** Least wait of the current half of the window, and of the one before; Infinity: no final has been answered. */
  #least = Infinity;
  #leastBefore = Infinity;
  #halfUntil = 0;

  constructor(workers: number) {
    this.#workers = workers;
  }

  /** Milliseconds. */
  get ms(): number {
    const least = Math.min(this.#least, this.#leastBefore);
    return least === Infinity ? 0 : least;
  }

  /** Average duration of a call, in milliseconds. */
  get callMs(): number {
    return this.#callMs;
  }

  /** A final was answered. @param waitMs for which it waited for the calls of others @param callMs duration of its call */
  answered(waitMs: number, callMs: number): void {
    this.#callMs = this.#callMs === 0 ? callMs : this.#callMs + (callMs - this.#callMs) * CALL_SHARE;
    this.#least = Math.min(this.#least, waitMs);
  }

  /**
   * Time passes. To be called a few times a second.
   * @param now milliseconds
   * @param waitingMs shortest time for which a stream with unanswered finals has waited; undefined: there is none
   */
  update(now: number, waitingMs: number | undefined): void {
    if (now < this.#halfUntil) return;
    this.#leastBefore = this.#least;
    // No final was answered in all of the half: what waits tells how long it takes.
    if (this.#least === Infinity && waitingMs !== undefined) this.#leastBefore = Math.max(0, waitingMs - this.#callMs);
    this.#least = Infinity;
    this.#halfUntil = now + Math.max(MIN_WINDOW_MS, (WINDOW_CALLS * this.#callMs) / this.#workers) / 2;
  }
}
