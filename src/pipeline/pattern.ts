import type { Started } from "../protocol/events.ts";
import type { Start } from "../protocol/requests.ts";
import type { Answers } from "./answers.ts";
import type { Pipeline, SavedPipeline } from "./pipeline.ts";

/** The fields of a `start` that a pattern reads. */
export type PatternStart = Pick<Start, "vad" | "interim_results" | "interim_interval_ms">;

/** Properties of the model and the server that a pattern builds a stream on. */
export interface PatternContext {
  /** The model's rate, Hz. */
  readonly sampleRate: number;
  /** The model keeps state: its jobs are steps, each with the state that the last one returned. */
  readonly keepsState: boolean;
  /** The model is pinned: its streams stay in their worker, which gets each sample once. */
  readonly pinned?: { readonly stepMs: number } | undefined;
  /** Milliseconds of audio that one channel may hold. */
  readonly maxHoldMs: number;
}

/** The state that a pipeline goes on from. */
export interface PipelineStart {
  readonly state: SavedPipeline;
  readonly modelState: { readonly value: unknown } | undefined;
}

/** A pattern's answer to one `start`. */
export interface Prepared {
  /** Milliseconds of audio that one channel holds before its oldest sample can be part of a job, at most. */
  readonly holdsMs: number;
  /** Fields that `started` has besides those of every pattern. */
  readonly started: Partial<Pick<Started, "vad" | "interim_interval_ms">>;
  /** Fields that every final has besides its bounds and the model's output. */
  readonly finalFields: { readonly is_final?: true };
  /**
   * Returns a pipeline for one channel, which reports its results to `answers`.
   * @param saved the state to go on from. Throws InvalidState when it is none of this kind.
   */
  create(answers: Answers, saved?: PipelineStart): Pipeline;
}

/** One way to use a model on a stream, served at `/api/v1/NAME`. */
export interface Pattern {
  readonly name: string;
  /** One sentence for the API contract. */
  readonly description: string;
  /**
   * The model is called in turn, each call with the state of the one before. Only here can a model that keeps state be
   * used.
   */
  readonly keepsState: boolean;
  /** Voice activity detection decides what the model runs on; `vad` may be set in `start`. */
  readonly usesVad: boolean;
  /** A pinned model can be used. */
  readonly takesPinned?: true;
  /** Name of the configuration section with the pattern's settings. */
  readonly section: string;
  /**
   * Turns a `start` and the pattern's settings into a plan for each channel. Throws ProtocolError, naming the field or
   * the setting, when no stream can run with them.
   */
  prepare(start: PatternStart, section: object, context: PatternContext): Prepared;
}

/** Returns whether a pattern can use a model. */
export function serves(pattern: Pattern, model: Pick<PatternContext, "keepsState" | "pinned">): boolean {
  if (model.pinned !== undefined) return pattern.takesPinned === true;
  return pattern.keepsState || !model.keepsState;
}
