import { Arena, type AudioSpan } from "./arena.ts";

/**
 * The retained samples of one channel, in slabs of the arena. Positions are samples since the start of the stream. Slab
 * borders are at multiples of `Arena.SLAB_SAMPLES` in every store, so all channels of a stream need a slab at the same
 * time.
 */
export class Store {
  readonly #arena: Arena;
  #slabs: number[] = [];
  /** Position of the first sample of the first slab held. */
  #base: number;
  #end: number;
  #released: number;

  /** @param start position of the first sample to append */
  constructor(arena: Arena, start = 0) {
    this.#arena = arena;
    this.#base = start - (start % Arena.SLAB_SAMPLES);
    this.#end = this.#released = start;
  }

  /** Position behind the last sample: the number of samples appended since the start of the stream. */
  get end(): number {
    return this.#end;
  }

  /** Samples that have not been released. */
  get retained(): number {
    return this.#end - this.#released;
  }

  /** Slabs in use, at most one more than the retained samples need. */
  get slabCount(): number {
    return this.#slabs.length;
  }

  /** Samples that fit into the last slab. When it is 0, call `grow`. */
  get room(): number {
    return Math.max(0, this.#base + this.#slabs.length * Arena.SLAB_SAMPLES - this.#end);
  }

  /** Index in `arena.samples` of the next sample to append. Valid only when there is room. */
  get writeIndex(): number {
    const slab = this.#slabs[this.#slabs.length - 1];
    if (slab === undefined) throw new Error("store: no slab to write to");
    return slab * Arena.SLAB_SAMPLES + (this.#end % Arena.SLAB_SAMPLES);
  }

  /** Takes another slab. Returns false when the arena is full. */
  grow(): boolean {
    const slab = this.#arena.take();
    if (slab < 0) return false;
    this.#slabs.push(slab);
    return true;
  }

  /** Releases the last slab if it has no samples. */
  shrink(): void {
    if (this.room < Arena.SLAB_SAMPLES) return;
    const slab = this.#slabs.pop();
    if (slab !== undefined) this.#arena.release(slab);
  }

  /** Appends the `count` samples that have been written at `writeIndex`, 0 to `room`. */
  advance(count: number): void {
    if (count > this.room) throw new Error(`store: ${count} samples appended, but only ${this.room} fit`);
    this.#end += count;
  }

  /** Index in `arena.samples` of the sample at `position`, which must be retained. */
  indexOf(position: number): number {
    const slab = this.#slabs[Math.floor((position - this.#base) / Arena.SLAB_SAMPLES)];
    if (slab === undefined || position < this.#released || position >= this.#end) {
      throw new Error(`store: sample ${position} is not retained`);
    }
    return slab * Arena.SLAB_SAMPLES + (position % Arena.SLAB_SAMPLES);
  }

  /** Number of samples from `position` on that are contiguous in the arena. */
  runLength(position: number): number {
    return Math.min(this.#end - position, Arena.SLAB_SAMPLES - (position % Arena.SLAB_SAMPLES));
  }

  /** Returns the place of the samples `start` to `end`, exclusive, which must be retained. */
  span(start: number, end: number): AudioSpan {
    if (start < this.#released || end > this.#end || start > end) {
      throw new Error(`store: span ${start}..${end} is not within ${this.#released}..${this.#end}`);
    }
    const first = Math.floor((start - this.#base) / Arena.SLAB_SAMPLES);
    const last = Math.ceil((end - this.#base) / Arena.SLAB_SAMPLES);
    return {
      slabs: this.#slabs.slice(first, last),
      offset: (start - this.#base) % Arena.SLAB_SAMPLES,
      length: end - start,
    };
  }

  /** Releases the samples before position `before`. Slabs without retained samples return to the arena at once. */
  release(before: number): void {
    if (before <= this.#released) return;
    if (before > this.#end) throw new Error(`store: release before ${before}, but the end is ${this.#end}`);
    this.#released = before;
    const whole = Math.floor((before - this.#base) / Arena.SLAB_SAMPLES);
    if (whole === 0) return;
    for (const slab of this.#slabs.splice(0, whole)) this.#arena.release(slab);
    this.#base += whole * Arena.SLAB_SAMPLES;
  }

  [Symbol.dispose](): void {
    for (const slab of this.#slabs) this.#arena.release(slab);
    this.#base = this.#end - (this.#end % Arena.SLAB_SAMPLES);
    this.#slabs = [];
    this.#released = this.#end;
  }
}
