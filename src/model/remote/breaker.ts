const MAX_OPEN_MS = 30_000;

/** `half_open`: it is being tried whether the endpoint works again. Only a closed breaker lets calls pass. */
export type BreakerState = "closed" | "half_open" | "open";

export interface BreakerOptions {
  /** Failures in a row that open it. */
  readonly failures: number;
  /** Time for which it is open at first. It doubles with each attempt that fails. */
  readonly openMs: number;
}

/** Circuit breaker of an endpoint. Its owner measures the time. */
export class Breaker {
  readonly #options: BreakerOptions;
  #state: BreakerState = "closed";
  #failures = 0;
  #openMs: number;

  constructor(options: BreakerOptions) {
    this.#options = options;
    this.#openMs = options.openMs;
  }

  get state(): BreakerState {
    return this.#state;
  }

  /** Counts a failed call. Returns the time to stay open, ms, if it opens now. */
  fail(): number | undefined {
    if (this.#state !== "closed" || ++this.#failures < this.#options.failures) return undefined;
    return this.open();
  }

  /** Counts a call that the endpoint has answered. */
  succeed(): void {
    if (this.#state !== "closed") return;
    this.#failures = 0;
    this.#openMs = this.#options.openMs;
  }

  /** Opens it. Returns the time to stay open, ms. */
  open(): number {
    const openMs = this.#openMs;
    this.#state = "open";
    this.#openMs = Math.min(MAX_OPEN_MS, 2 * openMs);
    return openMs;
  }

  /** The time is over: the endpoint is tried. */
  halfOpen(): void {
    this.#state = "half_open";
  }

  /** The endpoint has passed the trial. The first call that fails opens it again, unless others succeed before. */
  close(): void {
    this.#state = "closed";
    this.#failures = this.#options.failures - 1;
  }
}
