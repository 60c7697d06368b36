import type { AudioSpan } from "../audio/arena.ts";
import type { Job, Outcome } from "../model/job.ts";

/** A job with the place of its samples in the arena and the W3C trace context that it belongs to. */
export interface AudioJob extends Job {
  readonly audio: AudioSpan;
  readonly traceparent?: string;
}

/** Receives the outcome of a job. */
export type Settle = (outcome: Outcome) => void;

/**
 * Whose turn the jobs of a lane take: callers take turns, then the streams of a caller, then the channels of a stream.
 */
export interface LaneOwner {
  /** Id of the caller. */
  readonly caller: string;
  /** Identity of the stream: the same object for all of its channels. */
  readonly stream: object;
}

/** Access of one channel to the model. */
export interface Lane {
  /**
   * Queues a job. `settle` is called exactly once, later, never within `submit` or `close`.
   *
   * The lane keeps its own reference to the samples until no worker can read them. Finals of a lane settle in any
   * order. A waiting interim is dropped for a newer one and for a final. An interim that is submitted while another one
   * of the lane runs is dropped at once.
   */
  submit(job: AudioJob, settle: Settle): void;
  /** Settles all jobs that are still open as `dropped`. Running calls finish; their results are discarded. */
  close(): void;
}
