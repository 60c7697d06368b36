import { MAX_FLUSHES } from "./resume-state.ts";

/** Seconds of audio between two states. */
const SECONDS = 1;

export interface TrackOptions {
  /** Hz. */
  readonly sampleRate: number;
  /** Samples between two positions at which a state can be saved. See `Pipeline.grid`. */
  readonly grid: number;
  /** Samples at which the stream begins, and flushes of the stream that it goes on from behind that. */
  readonly start: number;
  readonly flushes: readonly number[];
}

/**
 * The positions at which decoding pauses, in samples: those at which a state is saved, and those at which the stream
 * that this one goes on from was flushed.
 */
export class Track {
  readonly #every: number;
  readonly #repeated: number[];
  /** Flushes behind the oldest state that may be asked for. */
  #flushes: number[] = [];
  /** The last flush that was forgotten, since there were too many. */
  #forgotten = -1;
  #next: number;

  constructor({ sampleRate, grid, start, flushes }: TrackOptions) {
    this.#every = grid * Math.max(1, Math.round((SECONDS * sampleRate) / grid));
    this.#next = this.#after(start);
    this.#repeated = [...flushes];
  }

  /** Samples from `position` to the next pause, 1 or more. */
  room(position: number): number {
    return Math.min(this.#next, this.#repeated[0] ?? Infinity) - position;
  }

  /** Returns whether a state is to be saved at this position, once. */
  takeSave(position: number): boolean {
    if (position < this.#next) return false;
    this.#next = this.#after(position);
    return true;
  }

  /** Returns whether the stream is to be flushed at this position, as it was before. Call until it returns false. */
  takeFlush(position: number): boolean {
    if (this.#repeated[0] === undefined || this.#repeated[0] > position) return false;
    this.#repeated.shift();
    return true;
  }

  /** Notes a flush. */
  flushed(position: number): void {
    // A second one at the same position ends nothing.
    if (this.#flushes.at(-1) !== position) this.#flushes.push(position);
    if (this.#flushes.length > MAX_FLUSHES) this.#forgotten = this.#flushes.shift() ?? -1;
  }

  /**
   * Returns the flushes behind a state, which were noted after it was saved, and forgets those before. Undefined: there
   * are too many.
   */
  flushesSince(position: number): number[] | undefined {
    if (position <= this.#forgotten) return undefined;
    const first = this.#flushes.findIndex((at) => at >= position);
    this.#flushes.splice(0, first === -1 ? this.#flushes.length : first);
    const all = [...this.#flushes, ...this.#repeated.filter((at) => at >= position)];
    return all.length > MAX_FLUSHES ? undefined : all;
  }

  #after(position: number): number {
    return (Math.floor(position / this.#every) + 1) * this.#every;
  }
}
