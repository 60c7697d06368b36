import type { Job, Outcome } from "../model/job.ts";
import type { Step } from "./pipeline.ts";

/** What endpointing has found out about a channel so far. Positions are samples since the start of the stream. */
export interface Speech {
  /** Begin of the open utterance; undefined in silence. */
  readonly open: number | undefined;
  /** End of the last speech window. */
  readonly speechEnd: number;
  /** The earliest position at which an utterance that is still to come can begin; the begin of the open one. */
  readonly needed: number;
}

/** How the model is called for the utterances that are found in one channel. */
export interface Utterances {
  /** See `Pipeline`. */
  readonly needed: number;
  readonly held?: number | undefined;
  readonly unanswered?: number | undefined;
  readonly busy?: boolean;
  /** Begin of what is in no final yet of the open utterance; undefined in silence. */
  readonly open: number | undefined;
  /** Position at which the next interim is due, for `save`; Infinity: none was asked for. */
  readonly interimAt: number;

  /** Speech has begun. @param position end of the last window decided */
  begun(position: number): void;
  /** A window has been decided. @param position its end */
  decided(position: number): Step;
  /** An utterance is complete. @param position end of the last window decided */
  ended(start: number, end: number, position: number): Step;
  /** Takes the outcome of a job. */
  resolved(job: Job, outcome: Outcome): Step;
  /** Goes on from a saved state. To be called first. @param interimAt as saved */
  restore(interimAt: number): void;
}
