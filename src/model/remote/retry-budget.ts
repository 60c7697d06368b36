/** Retries that are saved up at most, and allowed at first. */
const MAX_SAVED = 10;

/**
 * A limit of retries to a share of the calls. Without it, retries multiply the load of engines that fail because they
 * have too much of it.
 */
export class RetryBudget {
  readonly #share: number;
  #saved: number;

  /** @param share retries for each call, 0 to 1; 0: none */
  constructor(share: number) {
    this.#share = share;
    this.#saved = share === 0 ? 0 : MAX_SAVED;
  }

  /** Counts a call. */
  earn(): void {
    this.#saved = Math.min(MAX_SAVED, this.#saved + this.#share);
  }

  /** Counts a retry. Returns false if none is left. */
  take(): boolean {
    // Sums of a share such as 0.1 are not exact.
    if (this.#saved < 1 - 1e-9) return false;
    this.#saved -= 1;
    return true;
  }
}
