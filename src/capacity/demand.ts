/** What a stream will ask for, as far as it is known before it begins. */
export interface Demand {
  /** Name of the pattern. */
  readonly pattern: string;
  /** Name of the model. */
  readonly model: string;
  readonly channels: number;
}

/** Resources that can be used up. */
export const SCARCE = ["memory", "streams", "workers", "wait", "main_thread"] as const;
export type Scarce = (typeof SCARCE)[number];

/** Why no stream may begin now. */
export interface Shortage {
  readonly resource: Scarce;
  /** What all open streams and this one need, and what there is: slabs, streams, workers, milliseconds, or threads. */
  readonly needed: number;
  readonly allowed: number;
  /** A sentence for the client. */
  readonly message: string;
}

/** An open stream, as its load is measured. */
export interface LoadSource {
  /** Returns the slabs of the arena that it holds. */
  slabs(): number;
  /** Returns the seconds of each channel that have been answered or were silent. */
  answeredSeconds(): number;
}
