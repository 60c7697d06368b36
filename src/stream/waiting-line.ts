import type { Holder } from "./holder.ts";

/** A stream that has waited for so long, in milliseconds, goes before those that are nearer to their end. */
const OLD_MS = 2_000;

interface Waiting {
  readonly wake: () => void;
  /** When it began to wait, and how many had been served by then. */
  since: number;
  served: number;
}

/** Streams that wait for memory: those that have waited long in the order of their coming, then by what they need. */
export class WaitingLine {
  readonly #waiting = new Map<Holder, Waiting>();
  /** The order of turns, and the order of need, of the last sorting; later comers are behind. */
  #turns = new Order();
  #needs = new Order();
  #served = 0;

  get size(): number {
    return this.#waiting.size;
  }

  /** Slabs that all of them take at once. */
  get steps(): number {
    let sum = 0;
    for (const { step } of this.#waiting.keys()) sum += step;
    return sum;
  }

  /** The stream whose turn it is. */
  get first(): Holder | undefined {
    return this.#turns.first(this.#waiting);
  }

  /** The stream that needs least until its next result. */
  get nearest(): Holder | undefined {
    return this.#needs.first(this.#waiting);
  }

  has(holder: Holder): boolean {
    return this.#waiting.has(holder);
  }

  /** Adds a stream at the end. Returns false when it waits already. @param now milliseconds */
  add(holder: Holder, wake: () => void, now: number): boolean {
    if (this.#waiting.has(holder)) return false;
    this.#waiting.set(holder, { wake, since: now, served: this.#served });
    this.#turns.append(holder);
    this.#needs.append(holder);
    return true;
  }

  remove(holder: Holder): void {
    this.#waiting.delete(holder);
  }

  /** Takes a stream out of the line. Returns the function to wake it with. */
  serve(holder: Holder): (() => void) | undefined {
    const waiting = this.#waiting.get(holder);
    if (waiting === undefined) return undefined;
    this.#waiting.delete(holder);
    this.#turns.passed(holder);
    this.#served += 1;
    return waiting.wake;
  }

  /** Puts the line in order. @param now milliseconds */
  sort(now: number): void {
    const byNeed = [...this.#waiting.keys()].map((holder) => ({ holder, remaining: holder.remaining }));
    const needs = byNeed.sort((a, b) => a.remaining - b.remaining).map(({ holder }) => holder);
    // The oldest waits come first in the map.
    const old = [...this.#waiting].filter(([, { since }]) => now - since >= OLD_MS).map(([holder]) => holder);
    this.#turns = new Order([...new Set([...old, ...needs])]);
    this.#needs = new Order(needs);
  }

  /** The stream that has waited longest came before `before`, and since then fewer were served than wait now. */
  standsStill(before: number): boolean {
    for (const { since, served } of this.#waiting.values()) {
      return since <= before && this.#served - served < this.#waiting.size;
    }
    return false;
  }

  /** Counts the time of everybody from now on: others have been ended for them. */
  restart(now: number): void {
    for (const waiting of this.#waiting.values()) Object.assign(waiting, { since: now, served: this.#served });
  }
}

/** A list of streams that is read from the front. Streams that have left the line stay in it and are passed over. */
class Order {
  readonly #holders: Holder[];
  #head = 0;

  constructor(holders: Holder[] = []) {
    this.#holders = holders;
  }

  append(holder: Holder): void {
    this.#holders.push(holder);
  }

  first(waiting: ReadonlyMap<Holder, unknown>): Holder | undefined {
    while (this.#head < this.#holders.length) {
      const holder = this.#holders[this.#head]!;
      if (waiting.has(holder)) return holder;
      this.#head += 1;
    }
    return undefined;
  }

  /** The stream at the front has had its turn: if it comes again, it is behind the others. */
  passed(holder: Holder): void {
    if (this.#holders[this.#head] === holder) this.#head += 1;
  }
}
