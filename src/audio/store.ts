import { Arena } from "./arena.ts";

/** A stretch of audio where it lies in the arena, `length` samples long. */
export interface AudioSpan {
  /** Slab numbers in order. */
  readonly slabs: readonly number[];
  /** Index of the first sample in the first slab, 0 .. Arena.SLAB_SAMPLES - 1. */
  readonly offset: number;
  readonly length: number;
}

/**
 * One channel's retained samples, in slabs of the arena. Positions are samples since the start of the stream, so slab
 * borders fall on multiples of `Arena.SLAB_SAMPLES` in every store: all channels of a stream fill up together.
 */
export class Store {
  readonly #arena: Arena;
  #slabs: number[] = [];
  /** Position of the first sample of the first slab held. */
  #base = 0;
  #end = 0;
  #released = 0;

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  /** Samples appended since the start of the stream. */
  get end(): number {
    return this.#end;
  }

  /** Samples that are kept for later use. */
  get retained(): number {
    return this.#end - this.#released;
  }

  /** Slabs held, at most one more than the retained samples need. */
  get slabCount(): number {
    return this.#slabs.length;
  }

  /** Samples that fit into the last slab. 0: `grow` first. */
  get room(): number {
    return this.#base + this.#slabs.length * Arena.SLAB_SAMPLES - this.#end;
  }

  /** Index in `arena.samples` where the next sample goes. Only meaningful when there is room. */
  get writeIndex(): number {
    const slab = this.#slabs[this.#slabs.length - 1];
    if (slab === undefined) throw new Error("store: no slab to write to");
    return slab * Arena.SLAB_SAMPLES + (this.#end % Arena.SLAB_SAMPLES);
  }

  /** Takes another slab. False: the arena is full. */
  grow(): boolean {
    const slab = this.#arena.take();
    if (slab < 0) return false;
    this.#slabs.push(slab);
    return true;
  }

  /** Gives back a last slab that nothing has been written to. */
  shrink(): void {
    if (this.room < Arena.SLAB_SAMPLES) return;
    const slab = this.#slabs.pop();
    if (slab !== undefined) this.#arena.release(slab);
  }

  /** Says that `count` samples have been written at `writeIndex`, 0 .. room. */
  advance(count: number): void {
    if (count > this.room) throw new Error(`store: ${count} samples written where ${this.room} fit`);
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

  /** How many samples from `position` on lie side by side in the arena, up to the last one. */
  runLength(position: number): number {
    return Math.min(this.#end - position, Arena.SLAB_SAMPLES - (position % Arena.SLAB_SAMPLES));
  }

  /** Where the samples `start` .. `end` (exclusive) lie. They must be retained. */
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

  /** Gives up the samples before position `before`; whole slabs go back to the arena at once. */
  release(before: number): void {
    if (before <= this.#released) return;
    if (before > this.#end) throw new Error(`store: release before ${before}, but only ${this.#end} are there`);
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
