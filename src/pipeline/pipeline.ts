import type { Job, Outcome, ResultAudio } from "../model/job.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import type { ChannelEvent } from "../protocol/events.ts";

/** What a pipeline says: an event of the protocol without its `channel`, which is added on the way out. */
export type PipelineEvent = ChannelEvent & { readonly resultAudio?: ResultAudio };

/** What one call of a pipeline leads to. */
export interface Step {
  readonly events: PipelineEvent[];
  readonly jobs: Job[];
}

/** The answer of most calls; shared, so that silence costs no garbage. */
export const NOTHING: Step = Object.freeze({ events: Object.freeze([]) as never, jobs: Object.freeze([]) as never });

/** Samples and results of one channel, as the ledger of the protocol counts them. */
export interface Tally {
  inferred: number;
  silent: number;
  failed: number;
  segments: number;
  interims: number;
  errors: number;
}

export interface PipelineOptions {
  /** The model's rate, Hz. */
  readonly sampleRate: number;
  /** Milliseconds of audio received but not answered yet when everything before `position` is; undefined: no `timing` asked for. */
  readonly lagMs?: (position: number) => number;
}

/**
 * One channel's path from audio to events: a synchronous state machine that waits for nothing. Positions are samples at the model's
 * rate since the start of the stream.
 */
export interface Pipeline extends Disposable {
  readonly tally: Readonly<Tally>;
  /** Samples before this position are not needed any more. */
  readonly needed: number;
  /** Results and markers that are still to come. */
  readonly pending: number;

  /** The next `length` samples of the channel, at `samples[index]`. */
  push(samples: Float32Array, index: number, length: number): Step;
  /** Ends the current utterance or partial block; a `flushed` event follows its results. */
  flush(): Step;
  /** The stream ends; nothing is pushed any more. */
  end(): Step;
  /** A job of this pipeline has its outcome; in any order. */
  resolved(job: Job, outcome: Outcome): Step;
  /**
   * Gives up: everything that is not answered yet, up to position `clock`, is named by errors and counted as failed. Later outcomes
   * are not to be passed on.
   */
  abort(clock: number, code: ErrorCode, message: string): Step;
}
