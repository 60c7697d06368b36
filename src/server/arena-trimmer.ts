import type { Arena } from "../audio/arena.ts";

/** Slabs that are not used for one to two periods are given back. */
const PERIOD_MS = 1_500;
/** Slabs given back at a time, which takes less than 1 ms, and the pause after that. */
const SLICE_SLABS = 128;
const PAUSE_MS = 2;
/** Unused slabs that keep their memory, 4 MiB. */
const RESERVE_SLABS = 256;

/** Gives the memory of slabs that are not used any more back to the system, in slices. */
export class ArenaTrimmer {
  readonly #arena: Arena;
  readonly #later: (task: () => void) => void;
  #periodAt = 0;
  #working = false;

  /** @param later runs a task after a pause. Default: `setTimeout`. */
  constructor(arena: Arena, later = (task: () => void): void => void setTimeout(task, PAUSE_MS).unref()) {
    this.#arena = arena;
    this.#later = later;
  }

  /** Begins to give memory back if a period has passed. To be called more often than that. @param now ms */
  check(now: number): void {
    if (now - this.#periodAt < PERIOD_MS) return;
    this.#periodAt = now;
    this.#arena.beginPeriod();
    if (!this.#working) this.#work();
  }

  #work(): void {
    this.#working = this.#arena.giveBack(SLICE_SLABS, RESERVE_SLABS);
    if (this.#working) this.#later(() => this.#work());
  }
}
