import type { Arena } from "../audio/arena.ts";

/** A stream, as the memory accounts for it. */
export interface Holder {
  /** Slabs that it holds. */
  readonly slabs: number;
  /** Ends the stream, since nothing else could free memory. */
  evict(): void;
}

/**
 * The queue of streams that find the arena full. Results that free slabs wake them in order. When no job is queued or
 * running that could free any, the stream that holds most is ended: otherwise all would wait for ever.
 */
export class Memory {
  readonly #arena: Arena;
  readonly #jobs: () => number;
  readonly #holders = new Set<Holder>();
  /** Waiting holders, in order, each with a function that gives up its place. */
  readonly #waiting = new Map<Holder, () => void>();
  /** The first in the queue when the last check found that no holder could continue. */
  #stalled: Holder | undefined;

  /** @param jobs returns the number of jobs, queued or running, that may free memory when they are done */
  constructor(arena: Arena, jobs: () => number) {
    this.#arena = arena;
    this.#jobs = jobs;
  }

  /** Holders that wait for slabs. */
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

  /** Calls `wake` once, later, when `slabs` are free. A holder has one place in the queue. */
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
   * Ends the stream that holds most when all streams wait for each other. To be called a few times a second. It acts at
   * the second call in a row that finds them so, since a terminated worker frees its slabs a moment later.
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
