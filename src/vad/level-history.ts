/** Levels of the last windows, to find the best place to cut speech that has no pause. */
export class LevelHistory {
  /** A ring: window n is at n % length. In single precision, as detectors give them: every stream has one. */
  readonly #levels: Float32Array;
  #count = 0;

  /** @param size windows remembered, 1 or more */
  constructor(size: number) {
    this.#levels = new Float32Array(size);
  }

  push(levelDb: number): void {
    this.#levels[this.#count % this.#levels.length] = levelDb;
    this.#count += 1;
  }

  /** Returns the last `count` levels, in order; fewer if fewer are remembered. */
  last(count: number): Float64Array<ArrayBuffer> {
    const known = Math.min(count, this.#count, this.#levels.length);
    return Float64Array.from({ length: known }, (_, index) => this.#level(known - index));
  }

  /**
   * Finds the quietest border between two windows: the one with the lowest sum of the levels (in dB) on its two sides,
   * and of equal ones the latest. Borders are counted backwards in windows from the end of the last one.
   * @param from the latest border to consider, 1 or more
   * @param to the earliest, less than the number of windows remembered
   * @returns the border, `from` to `to`
   */
  quietestBorder(from: number, to: number): number {
    let best = from;
    let lowest = Number.POSITIVE_INFINITY;
    for (let border = from; border <= to; border++) {
      const sum = this.#level(border) + this.#level(border + 1);
      if (sum < lowest) {
        lowest = sum;
        best = border;
      }
    }
    return best;
  }

  /** Level of the window that begins `border` windows before the end of the last one: 1 is the last. */
  #level(border: number): number {
    return this.#levels[(this.#count - border) % this.#levels.length] ?? 0;
  }
}
