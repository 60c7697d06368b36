import type { Arena } from "../audio/arena.ts";

/** A stream as the memory sees it. */
export interface Holder {
  /** Slabs that it holds. */
  readonly slabs: number;
  /** Ends the stream, since nothing else could free memory. */
  evict(): void;
}

/**
 * What happens when the arena is full. A stream that finds no slab waits in line; results that free slabs wake it. When
 * nothing is queued or running that could free any, the stream that holds most is ended, for otherwise all would wait for ever.
 */
export class Memory {
  readonly #arena: Arena;
  readonly #jobs: () => number;
  readonly #holders = new Set<Holder>();
  readonly #waiting = new Map<Holder, () => void>();
  /** Who was first in line when the last check found that nobody could go on. */
  #stalled: Holder | undefined;

  /** @param jobs how many pieces of work are queued or running that may free memory when they are done */
  constructor(arena: Arena, jobs: () => number) {
    this.#arena = arena;
    this.#jobs = jobs;
  }

  /** Holders that find no slab. */
  get waiting(): number {
    return this.#waiting.size;
  }

  enter(holder: Holder): void {
    this.#holders.add(holder);
  }

  leave(holder: Holder): void {
    this.#holders.delete(holder);
    this.#waiting.get(holder)?.();
    this.#waiting.delete(holder);
  }

  /** Calls `wake` once, later, when `slabs` are free. A holder waits once at a time. */
  wait(holder: Holder, slabs: number, wake: () => void): void {
    if (this.#waiting.has(holder)) return;
    const leave = this.#arena.whenFree(() => {
      this.#waiting.delete(holder);
      this.#stalled = undefined;
      wake();
    }, slabs);
    this.#waiting.set(holder, leave);
  }

  /**
   * If all that is left are streams that wait for each other, ends the one that holds most. To be called a few times a second: it
   * must be so twice in a row, since a worker that was terminated gives back what it reads a moment later.
   */
  check(): void {
    const [first] = this.#waiting.keys();
    const before = this.#stalled;
    this.#stalled = this.#jobs() > 0 ? undefined : first;
    if (this.#stalled === undefined || this.#stalled !== before) return;
    this.#stalled = undefined;
    [...this.#holders].reduce((a, b) => (b.slabs > a.slabs ? b : a), before).evict();
  }
}
