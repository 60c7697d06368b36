import type { Job, Outcome, ResultAudio } from "../model/job.ts";
import type { DecidedWindows } from "../native/chain.ts";
import type { Samples } from "../native/samples.ts";
import type { EnergyVad } from "../native/vad.ts";
import type { ChannelEvent } from "../protocol/events.ts";
import type { WarningCode } from "../protocol/warnings.ts";

/** An event of the protocol without its `channel`, which the stream adds, and the audio that goes with a result. */
export type PipelineEvent = ChannelEvent & { readonly resultAudio?: ResultAudio };

/** The events to send and the jobs to submit after one call of a pipeline. */
export interface Step {
  readonly events: PipelineEvent[];
  readonly jobs: Job[];
}

/** Something suspicious in a channel's audio. */
export interface Suspicion {
  readonly code: WarningCode;
  readonly message: string;
  /** Samples after which it was found. They do not depend on how the audio is cut. */
  readonly position: number;
}

/**
 * The state of a pipeline at a position: plain data, which another one of the same kind goes on from. It has no jobs:
 * those that have no answer are found again in the audio.
 */
export type SavedPipeline = Readonly<Record<string, unknown>>;

/** The step of most calls. It is shared, so that silence allocates nothing. */
export const NOTHING: Step = Object.freeze({ events: Object.freeze([]) as never, jobs: Object.freeze([]) as never });

/**
 * One pattern applied to one channel: a synchronous state machine from samples to jobs and events. It never waits.
 * Positions are samples at the model's rate since the start of the stream. Results go through the channel's `Answers`,
 * which puts them in order and keeps the ledger; the channel owns it and gives it to the pipeline.
 */
export interface Pipeline extends Disposable {
  /** Samples before this position are not part of any later job, apart from those that wait for the one before them. */
  readonly needed: number;
  /** Samples before this position are in no job that waits or runs, and in no later one. Default: see `unanswered`. */
  readonly held?: number | undefined;
  /**
   * Samples before this position are in a final or silence. Default: `needed`. Where a final is without an answer, its
   * start takes the place of this position.
   */
  readonly unanswered?: number | undefined;
  /** A call runs that is no final's. */
  readonly busy?: boolean;
  /** Samples from this position on are in no final yet and not known to be silence. */
  readonly undecided: number;
  /** The first suspicious thing found. The stream reports the earliest one of its channels. */
  readonly suspicion?: Suspicion | undefined;

  /**
   * The state of a model that keeps state, as of the last answer; undefined: there is none yet, or the model keeps
   * none. `pinned`: it stays in its worker.
   */
  readonly modelState?: { readonly value: unknown } | "pinned" | undefined;

  /** Samples between two positions at which `save` may be called; 1 or more. They count from the start of the stream. */
  readonly grid: number;

  /**
   * The detector that decides about the channel, if it is one of the C library. Whoever decodes the audio may run it in
   * the same call, and then gives every `push` its decisions.
   */
  readonly detector?: EnergyVad | undefined;

  /**
   * Takes the next `length` samples of the channel, `samples[index .. index + length)`.
   * @param windows what `detector` has decided about them; undefined: it has not been run
   */
  push(samples: Samples, index: number, length: number, windows?: DecidedWindows): Step;
  /** Ends the current utterance or partial block here. */
  flush(): Step;
  /** Ends the stream. Nothing is pushed or flushed afterwards. */
  end(): Step;
  /** Takes the outcome of a job of this pipeline. Outcomes come in any order. */
  resolved(job: Job, outcome: Outcome): Step;
  /** Returns the state at this position, apart from that of `detector` and of the model. */
  save(): SavedPipeline;
}
