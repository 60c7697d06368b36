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
  readonly #finalsPending: () => number;
  readonly #holders = new Set<Holder>();
  readonly #waiting = new Map<Holder, () => void>();

  /** @param finalsPending how many finals are queued or running: only these free memory when they are done */
  constructor(arena: Arena, finalsPending: () => number) {
    this.#arena = arena;
    this.#finalsPending = finalsPending;
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
      wake();
    }, slabs);
    this.#waiting.set(holder, leave);
    queueMicrotask(() => this.check());
  }

  /**
   * If all that is left are streams that wait for each other, ends the one that holds most. To be called when a result has come, and
   * now and then.
   */
  check(): void {
    const [first] = this.#waiting.keys();
    if (first === undefined || this.#finalsPending() > 0 || this.#arena.waiting === 0) return;
    [...this.#holders].reduce((a, b) => (b.slabs > a.slabs ? b : a), first).evict();
  }
}
