/** Entries kept. An entry covers at least 10 ms of audio, so these cover at least 10 minutes. */
export const MAX_SEND_TIMES = 65_536;
const MIN_ENTRY_SECONDS = 0.01;

/**
 * The time at which each frame of a stream was sent. Chunks shorter than 10 ms share an entry, with the time of the
 * first one. The oldest entries are overwritten.
 */
export class SendTimes {
  /** Position of the end of each entry, in frames. Entry i is at index i % MAX_SEND_TIMES. */
  readonly #ends = new Float64Array(MAX_SEND_TIMES);
  /** The time of each entry, in milliseconds. */
  readonly #times = new Float64Array(MAX_SEND_TIMES);
  readonly #minFrames: number;
  /** Entries ever made. */
  #count = 0;
  /** Position of the start of the last entry. */
  #lastStart = 0;

  /** `sampleRate` in Hz. */
  constructor(sampleRate: number) {
    this.#minFrames = sampleRate * MIN_ENTRY_SECONDS;
  }

  /** Notes that the frames up to position `end` were sent at `now` (milliseconds). */
  add(end: number, now: number): void {
    const last = (this.#count - 1) % MAX_SEND_TIMES;
    if (this.#count > 0 && end - this.#lastStart <= this.#minFrames) {
      this.#ends[last] = end;
      return;
    }
    this.#lastStart = this.#count > 0 ? (this.#ends[last] ?? 0) : 0;
    this.#ends[this.#count % MAX_SEND_TIMES] = end;
    this.#times[this.#count % MAX_SEND_TIMES] = now;
    this.#count += 1;
  }

  /**
   * Returns the time at which the frame at `position` was sent, or undefined if its entry was overwritten. A position
   * past the end has the time of the last entry.
   */
  timeOf(position: number): number | undefined {
    const oldest = Math.max(0, this.#count - MAX_SEND_TIMES);
    let low = oldest;
    let high = this.#count - 1;
    if (high < 0) return undefined;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#ends[middle % MAX_SEND_TIMES] ?? 0) > position) high = middle;
      else low = middle + 1;
    }
    // The start of the oldest entry is not known any more.
    if (low === oldest && oldest > 0) return undefined;
    return this.#times[low % MAX_SEND_TIMES];
  }
}
