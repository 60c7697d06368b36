/**
 * Frames of fewer bytes are small. Bun 1.4.5 hands over everything that it has read from a socket at once, up to
 * 512 KiB: of larger frames that are 2,000, of empty ones 87,000, which take a tenth of a second.
 */
export const SMALL_BYTES = 256;

/** Small frames that one connection may send at once, and per millisecond for long. */
const OWN = { most: 16_384, perMs: 20 };
/** The same for all connections that send more than that: a twentieth of the main thread. */
const SHARED = { most: 65_536, perMs: 50 };
/** Longest time for which a connection is held, in milliseconds. A client that is held is not to be idle. */
const LONGEST_HOLD_MS = 10_000;
/** So many small frames are counted together, so that a frame costs an addition. */
const STEP = 4_096;

/** Small frames that may be sent: so many at once, and so many per millisecond. */
class Bucket {
  readonly #most: number;
  readonly #perMs: number;
  #level: number;
  #filledAt: number;

  constructor({ most, perMs }: { readonly most: number; readonly perMs: number }, now: number) {
    this.#most = most;
    this.#perMs = perMs;
    this.#level = most;
    this.#filledAt = now;
  }

  /** Takes frames. Returns the time, in milliseconds, until those are made up for that are too many; 0: none is. */
  take(frames: number, now: number): number {
    this.#level = Math.min(this.#most, this.#level + (now - this.#filledAt) * this.#perMs) - frames;
    this.#filledAt = now;
    return Math.max(0, -this.#level / this.#perMs);
  }
}

/** What all connections share. */
export class SharedFrameBudget {
  readonly #clock: () => number;
  readonly #bucket: Bucket;

  /** @param clock returns milliseconds, monotonic */
  constructor(clock: () => number) {
    this.#clock = clock;
    this.#bucket = new Bucket(SHARED, clock());
  }

  /** The budget of one more connection. */
  open(): FrameBudget {
    return new FrameBudget(this.#clock, this.#bucket);
  }
}

/** The small frames of one connection: a flood of them would stop everybody else, whatever is in them. */
export class FrameBudget {
  readonly #clock: () => number;
  readonly #own: Bucket;
  readonly #shared: Bucket;
  #counted = 0;

  constructor(clock: () => number, shared: Bucket) {
    this.#clock = clock;
    this.#own = new Bucket(OWN, clock());
    this.#shared = shared;
  }

  /** Counts a small frame. Returns the time, in milliseconds, for which nothing more is to be read; 0: none. */
  count(): number {
    this.#counted += 1;
    if (this.#counted < STEP) return 0;
    this.#counted = 0;
    const now = this.#clock();
    const own = this.#own.take(STEP, now);
    return own === 0 ? 0 : Math.min(LONGEST_HOLD_MS, Math.max(own, this.#shared.take(STEP, now)));
  }
}
