import type { Job, Outcome } from "../model/job.ts";
import { errorEvent } from "../protocol/error-event.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import type { PipelineEvent } from "./pipeline.ts";
import { moveWords } from "./words.ts";

export type Success = Extract<Outcome, { status: "ok" }>;

export interface AnswerEventsOptions {
  /** The model's rate, Hz. */
  readonly sampleRate: number;
  /** Fields that every final has besides its bounds and the model's output. */
  readonly finalFields?: { readonly is_final?: true };
  /**
   * Milliseconds of audio that were received after `position`; present when the client asked for `timing`. A segment
   * reports it as the audio not answered yet.
   */
  readonly lagMs?: (position: number) => number;
  /** A result has `words` of another form than the convention has. They are passed on as they are. */
  readonly oddWords?: () => void;
}

/** The model has returned neither fields nor audio. */
export function isEmpty({ output, audio }: Success): boolean {
  return output === undefined && audio === undefined;
}

/** Turns the outcomes of one channel's jobs into events. */
export class AnswerEvents {
  readonly #options: AnswerEventsOptions;

  constructor(options: AnswerEventsOptions) {
    this.#options = options;
  }

  /** @param origin position that the times of words count from */
  final(job: Job, outcome: Success, origin: number): PipelineEvent {
    if (job.step === "finish") return { type: "data", ...this.#result(outcome, origin) };
    return this.#segment(job, outcome, origin, this.#options.finalFields ?? {});
  }

  interim(job: Job, outcome: Success): PipelineEvent {
    return this.#segment(job, outcome, job.start, { is_final: false });
  }

  failure(job: Job, code: ErrorCode, message: string): PipelineEvent {
    // A model's last result, at the end of a stream, covers no samples.
    return errorEvent({ code, message, ...(job.step !== "finish" && this.#bounds(job)) });
  }

  #segment(job: Job, outcome: Success, origin: number, extra: { is_final?: boolean }): PipelineEvent {
    const { lagMs } = this.#options;
    return {
      type: "segment",
      ...this.#bounds(job),
      ...extra,
      ...this.#result(outcome, origin),
      ...(lagMs && { timing: { queue_ms: outcome.queueMs, infer_ms: outcome.inferMs, lag_ms: lagMs(job.end) } }),
    };
  }

  /** The model's output as fields, with `words` on the stream's clock, and the audio that follows announced. */
  #result({ output, audio }: Success, origin: number): Record<string, unknown> & Pick<PipelineEvent, "resultAudio"> {
    const fields: Record<string, unknown> = { ...output };
    if (fields["words"] !== undefined) {
      const words = moveWords(fields["words"], origin / this.#options.sampleRate);
      if (words === undefined) this.#options.oddWords?.();
      else fields["words"] = words;
    }
    if (audio === undefined) return fields;
    const { samples, sampleRate } = audio;
    return { ...fields, audio: { bytes: samples.byteLength, sample_rate: sampleRate }, resultAudio: audio };
  }

  #bounds({ start, end }: Job): { start_time: number; end_time: number } {
    const { sampleRate } = this.#options;
    return { start_time: start / sampleRate, end_time: end / sampleRate };
  }
}
