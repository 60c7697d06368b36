/**
 * Free slabs of an arena. Those that occupy memory, because they have been used, are taken first, the one freed last
 * before the others: its samples are most likely in the processor's cache, and slabs at the other end stay unused, so
 * that their memory can be given back.
 */
export class FreeSlabs {
  /** Slabs that occupy memory: a ring, the slab freed last at its end. */
  readonly #warm: Uint32Array;
  #first = 0;
  #warmCount = 0;
  /** Slabs whose memory has been given back: a stack. */
  readonly #cold: Uint32Array;
  #coldCount = 0;
  /** Slabs from this one on have never been used. */
  #fresh = 0;
  /** Warm slabs, from the first one, that have not been used since the period began, and in the whole period before. */
  #unused = 0;
  #idle = 0;

  constructor(capacity: number) {
    this.#warm = new Uint32Array(capacity);
    this.#cold = new Uint32Array(capacity);
  }

  /** Slabs that are free. */
  get count(): number {
    return this.#warmCount + this.#coldCount + this.#warm.length - this.#fresh;
  }

  /** Warm slabs that were free during the whole of the last period. */
  get idle(): number {
    return this.#idle;
  }

  /** Takes a slab. Returns its number; -1: none is free. */
  take(): number {
    if (this.#warmCount > 0) {
      const slab = this.#warm[this.#place(--this.#warmCount)]!;
      if (this.#warmCount < this.#unused) this.#unused = this.#warmCount;
      if (this.#warmCount < this.#idle) this.#idle = this.#warmCount;
      return slab;
    }
    if (this.#coldCount > 0) return this.#cold[--this.#coldCount]!;
    return this.#fresh < this.#warm.length ? this.#fresh++ : -1;
  }

  /** Adds a slab that has been used. */
  add(slab: number): void {
    this.#warm[this.#place(this.#warmCount++)] = slab;
  }

  /** Begins a period. */
  beginPeriod(): void {
    this.#idle = this.#unused;
    this.#unused = this.#warmCount;
  }

  /**
   * Moves up to `most` idle slabs, those that have been free for longest, to the cold ones. Returns their numbers in
   * ascending order; they are to be given back before any is taken.
   */
  coolDown(most: number): Uint32Array {
    const slabs = new Uint32Array(Math.max(0, Math.min(most, this.#idle)));
    for (let i = 0; i < slabs.length; i++) slabs[i] = this.#warm[this.#place(i)]!;
    this.#first = this.#place(slabs.length);
    this.#warmCount -= slabs.length;
    this.#unused -= slabs.length;
    this.#idle -= slabs.length;
    slabs.sort();
    // The lowest one is the next to be taken.
    for (let i = slabs.length - 1; i >= 0; i--) this.#cold[this.#coldCount++] = slabs[i]!;
    return slabs;
  }

  /** Index of the i-th warm slab; i is at most the capacity. */
  #place(i: number): number {
    const place = this.#first + i;
    return place < this.#warm.length ? place : place - this.#warm.length;
  }
}
