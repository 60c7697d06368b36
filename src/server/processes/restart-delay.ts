const FIRST_MS = 100;
const LONGEST_MS = 30_000;
/** A process that was ready for so long starts again without regard to earlier failures. */
const STABLE_MS = 60_000;

/** Back-off of a process that is started again and again: 0.1 s, doubled with each failure, at most 30 s. */
export class RestartDelay {
  #failures = 0;

  /** Returns the milliseconds until the next start. @param readyMs time for which the process was ready; 0: never */
  next(readyMs: number): number {
    if (readyMs >= STABLE_MS) this.#failures = 0;
    return Math.min(LONGEST_MS, FIRST_MS * 2 ** this.#failures++);
  }
}
