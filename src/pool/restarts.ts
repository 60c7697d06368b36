/**
 * Delay before the replacement of a worker that ended without an answer to a call: doubled with each in a row, up to
 * the longest.
 */
export const FIRST_BACKOFF_MS = 100;
export const LONGEST_BACKOFF_MS = 5000;
/** Workers in a row that may end in their first call and are replaced at once: audio may be to blame, not the model. */
export const CRASHES_AT_ONCE = 3;

/** Failures in a row after which the model counts as of no use for the moment. */
const LOOPING_FAILURES = 4;

/** The replacements of one worker: at once, unless its predecessors in a row have ended before they answered a call. */
export class Restarts {
  #called = false;
  #answered = false;
  /** Workers in a row that ended without an answer to a call. */
  #failures = 0;
  /** Of these, those that ended in a call, before the first that did not. */
  #crashes = 0;

  /** So many have ended in a row that the next one will probably do it, too. */
  get looping(): boolean {
    return this.#failures >= LOOPING_FAILURES;
  }

  /** A worker is started. */
  begin(): void {
    this.#called = false;
    this.#answered = false;
  }

  /** The worker has had a call. */
  called(): void {
    this.#called = true;
  }

  /** The worker has answered a call. */
  answered(): void {
    this.#answered = true;
    this.#failures = 0;
    this.#crashes = 0;
  }

  /** The worker has ended, or could not be loaded. Returns the milliseconds until the next one is started; 0: at once. */
  next(): number {
    if (this.#answered) return 0;
    if (this.#called && this.#failures === 0 && ++this.#crashes <= CRASHES_AT_ONCE) return 0;
    return Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** this.#failures++);
  }
}
