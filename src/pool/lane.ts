import type { AudioSpan } from "../audio/store.ts";
import type { Job, Outcome } from "../model/job.ts";

/** A job, where its samples lie in the arena, and the trace that it belongs to. */
export interface AudioJob extends Job {
  readonly audio: AudioSpan;
  readonly traceparent?: string;
}

/** One channel's access to the model. */
export interface Lane {
  /**
   * Queues a job. `settle` is called exactly once, later, never from inside `submit` or `close`.
   *
   * The slabs are held (`Arena.retain`) until no worker can read them. Finals of a lane settle in any order. A waiting interim is
   * dropped for a newer one or for a final; an interim that is submitted while another one of the lane runs is dropped at once.
   */
  submit(job: AudioJob, settle: (outcome: Outcome) => void): void;
  /** Settles everything that is still open as `dropped`. Running calls finish; their results are discarded. */
  close(): void;
}
