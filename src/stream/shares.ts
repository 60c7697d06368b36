import type { Holder } from "./holder.ts";

/** The most slabs of one stream, and of all streams of one caller. */
export interface ShareLimits {
  readonly session: number;
  readonly caller: number;
}

/** A stream at its limit, and the calls of `check` that found it stuck. */
interface Held {
  readonly wake: () => void;
  stuck: number;
}

/** Calls in a row that must find a stream stuck before it is ended: a terminated worker frees slabs a moment later. */
const STUCK_CHECKS = 2;

/**
 * The limits of what one stream, and one caller with all of its streams, may take of the memory. A stream at its limit
 * waits for its own results. When none of them could free anything, it is ended.
 */
export class Shares {
  readonly #limits: ShareLimits;
  readonly #holders: ReadonlySet<Holder>;
  readonly #held = new Map<Holder, Held>();
  /** Slabs of each caller at the last check, and those taken since. Empty unless callers are limited. */
  readonly #byCaller = new Map<string, number>();

  /** @param holders all streams, the oldest first */
  constructor(limits: ShareLimits, holders: ReadonlySet<Holder>) {
    this.#limits = limits;
    this.#holders = holders;
  }

  /** Streams at their limit. */
  get waiting(): number {
    return this.#held.size;
  }

  /** Why the stream may not take so many slabs; undefined: it may. */
  exceeded(holder: Holder, slabs: number): keyof ShareLimits | undefined {
    if (this.#limits.session !== Infinity && holder.slabs + slabs > this.#limits.session) return "session";
    if (this.#limits.caller === Infinity || holder.isExempt === true) return undefined;
    const used = this.#byCaller.get(holder.caller) ?? 0;
    return used + slabs > this.#limits.caller ? "caller" : undefined;
  }

  /** Counts slabs that are taken. */
  taken({ caller }: Holder, slabs: number): void {
    if (this.#limits.caller === Infinity) return;
    this.#byCaller.set(caller, (this.#byCaller.get(caller) ?? 0) + slabs);
  }

  /** Calls `wake` when the stream is below its limit again. Results of its own wake it as well. */
  wait(holder: Holder, wake: () => void): void {
    if (!this.#held.has(holder)) this.#held.set(holder, { wake, stuck: 0 });
  }

  leave(holder: Holder): void {
    this.#held.delete(holder);
  }

  /** Wakes the streams that are below their limit, and returns those that never will be. A few times a second. */
  check(): Holder[] {
    this.#count();
    const stuck: Holder[] = [];
    for (const [holder, held] of this.#held) {
      const limit = this.exceeded(holder, holder.step);
      if (limit === undefined) {
        this.#held.delete(holder);
        held.wake();
      } else {
        held.stuck = this.#releasable(holder, limit) === 0 ? held.stuck + 1 : 0;
        if (held.stuck >= STUCK_CHECKS) stuck.push(holder);
      }
    }
    return stuck;
  }

  #count(): void {
    if (this.#limits.caller === Infinity) return;
    this.#byCaller.clear();
    for (const { caller, slabs } of this.#holders) {
      this.#byCaller.set(caller, (this.#byCaller.get(caller) ?? 0) + slabs);
    }
  }

  /** Slabs that results may free for the stream. */
  #releasable(holder: Holder, limit: keyof ShareLimits): number {
    if (limit === "session") return holder.releasable;
    let sum = 0;
    for (const other of this.#holders) if (other.caller === holder.caller) sum += other.releasable;
    return sum;
  }
}
