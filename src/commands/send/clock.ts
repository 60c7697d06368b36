/** Moments kept of what was sent; with one at least every 10 ms of audio that is 10 minutes and more. */
export const MOMENTS = 65_536;
const MOMENT_SECONDS = 0.01;

/** Waits until `at` on the clock of `now`; returns early when `signal` is aborted. */
export interface Clock {
  readonly now: () => number;
  readonly sleepUntil: (at: number, signal: AbortSignal) => Promise<void>;
}

/** Milliseconds since the process began. */
export const processClock: Clock = {
  now: () => performance.now(),
  sleepUntil(at, signal) {
    const delay = at - performance.now();
    if (delay <= 0 || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, delay);
      signal.addEventListener("abort", done, { once: true });
    });
  },
};

/**
 * When each frame was sent: `moment(frame)` answers by the chunk that carried it. Chunks of less than 10 ms are noted together,
 * by the moment of the first; the oldest are forgotten.
 */
export class SentLog {
  readonly #ends = new Float64Array(MOMENTS);
  readonly #moments = new Float64Array(MOMENTS);
  readonly #step: number;
  /** Entries ever made; the last MOMENTS of them are kept, entry i at i % MOMENTS. */
  #count = 0;
  #noted = 0;

  /** `sampleRate` in frames a second. */
  constructor(sampleRate: number) {
    this.#step = sampleRate * MOMENT_SECONDS;
  }

  /** Frames up to `end`, counted from the stream's first, were sent at `moment`. */
  add(end: number, moment: number): void {
    const last = (this.#count - 1) % MOMENTS;
    if (this.#count > 0 && end - this.#noted <= this.#step) {
      this.#ends[last] = end;
      return;
    }
    this.#noted = this.#count > 0 ? (this.#ends[last] ?? 0) : 0;
    this.#ends[this.#count % MOMENTS] = end;
    this.#moments[this.#count % MOMENTS] = moment;
    this.#count += 1;
  }

  /** Undefined for a frame that is forgotten; the last moment for one past the end. */
  moment(frame: number): number | undefined {
    const oldest = Math.max(0, this.#count - MOMENTS);
    let low = oldest;
    let high = this.#count - 1;
    if (high < 0) return undefined;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#ends[middle % MOMENTS] ?? 0) > frame) high = middle;
      else low = middle + 1;
    }
    if (low === oldest && oldest > 0) return undefined;
    return this.#moments[low % MOMENTS];
  }
}
