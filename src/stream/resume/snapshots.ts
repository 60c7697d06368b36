import type { SavedPipeline } from "../../pipeline/pipeline.ts";

/** Most states of one stream that are kept. Utterances may be long, and nothing is answered before they end. */
const MAX_SNAPSHOTS = 8;

/** The state of a stream at a position. */
export interface Snapshot {
  /** Samples per channel, at the model's rate. */
  readonly position: number;
  /** Frames of the client that made them. */
  readonly frames: number;
  readonly decoder: Uint8Array<ArrayBuffer>;
  readonly channels: readonly { readonly pipeline: SavedPipeline; readonly made: number }[];
}

/**
 * The states of a stream that a checkpoint may still need: it takes the newest one with nothing unanswered before it.
 * When there are too many, the one that leaves the smallest gap goes; a checkpoint then asks for more audio again.
 */
export class Snapshots {
  #kept: Snapshot[] = [];

  /** Adds the newest state. */
  add(snapshot: Snapshot): void {
    this.#kept.push(snapshot);
    if (this.#kept.length <= MAX_SNAPSHOTS) return;
    let least = 1;
    for (let i = 2; i < this.#kept.length - 1; i++) if (this.#gap(i) <= this.#gap(least)) least = i;
    this.#kept.splice(least, 1);
  }

  /** Returns the newest state at or before `position`, and forgets those before it. */
  newest(position: number): Snapshot | undefined {
    const next = this.#kept.findIndex((snapshot) => snapshot.position > position);
    const last = (next === -1 ? this.#kept.length : next) - 1;
    if (last > 0) this.#kept.splice(0, last);
    return last < 0 ? undefined : this.#kept[0];
  }

  #gap(index: number): number {
    return (this.#kept[index + 1]?.position ?? 0) - (this.#kept[index - 1]?.position ?? 0);
  }
}
