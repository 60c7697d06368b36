/** A stream, as the memory accounts for it. */
export interface Holder {
  /** Id of the caller. */
  readonly caller: string;
  /** The share of its caller is not limited. */
  readonly isExempt?: boolean;
  /** Slabs that it holds. */
  readonly slabs: number;
  /** Of those, slabs that become free when all of its jobs have been answered. */
  readonly releasable: number;
  /** Slabs that it takes at a time: one for each channel. */
  readonly step: number;
  /** Slabs that it may still take until its next results free some, at most. */
  readonly remaining: number;
  /** Samples of each channel that are answered or silent, so that nothing of them is held. */
  readonly answered: number;
  /** Ends the stream, since it holds memory that others need. @param message for its client */
  evict(message: string): void;
}
