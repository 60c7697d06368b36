import type { KindLoad } from "./kind-load.ts";

/** Connections that have started nothing count for so long, in milliseconds: a later start is judged by itself. */
const COUNTED_MS = 5_000;

interface Arrival {
  readonly kind: KindLoad;
  readonly channels: number;
  readonly slabs: number;
  /** Time until which it counts, in milliseconds. */
  readonly until: number;
}

/** Connections that have been accepted and are about to start their first stream. */
export class Arrivals {
  /** The oldest is first. */
  readonly #open = new Set<Arrival>();
  #slabs = 0;

  get size(): number {
    return this.#open.size;
  }

  /** Slabs that their streams will need. */
  get slabs(): number {
    return this.#slabs;
  }

  /** Counts one. Returns a function to call when its stream has come or will not. @param now milliseconds */
  add(kind: KindLoad, channels: number, now: number): () => void {
    const arrival = { kind, channels, slabs: channels * kind.hold, until: now + COUNTED_MS };
    kind.channels += channels;
    this.#slabs += arrival.slabs;
    this.#open.add(arrival);
    return () => this.#forget(arrival);
  }

  /** Forgets those that have not started anything for long. */
  sweep(now: number): void {
    for (const arrival of this.#open) {
      if (arrival.until > now) return;
      this.#forget(arrival);
    }
  }

  #forget(arrival: Arrival): void {
    if (!this.#open.delete(arrival)) return;
    arrival.kind.channels -= arrival.channels;
    this.#slabs -= arrival.slabs;
  }
}
