import type { Job, Outcome } from "../model/job.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import { ERRORS } from "../protocol/errors.ts";
import type { PipelineEvent, PipelineOptions, Tally } from "./pipeline.ts";

interface Slot {
  /** Undefined: a marker, which waits only for what is before it. */
  readonly job: Job | undefined;
  /** Undefined: not known yet. Empty: the model had nothing to say. */
  events: readonly PipelineEvent[] | undefined;
}

type Answered = Extract<Outcome, { status: "ok" }>;

/**
 * The answers of one channel in the order of its audio, though the model may give them in any: each waits for those before it.
 * Counts what it sends, so that the ledger and the events cannot disagree.
 */
export class Answers {
  readonly tally: Tally = { inferred: 0, silent: 0, failed: 0, segments: 0, interims: 0, errors: 0 };
  readonly #options: PipelineOptions;
  readonly #extra: { readonly is_final?: true };
  readonly #slots: Slot[] = [];
  /** End of the last final asked for: what lies between two finals is silence. */
  #covered = 0;

  /** @param extra fields that every final has besides its own */
  constructor(options: PipelineOptions, extra: { readonly is_final?: true } = {}) {
    this.#options = options;
    this.#extra = extra;
  }

  get pending(): number {
    return this.#slots.length;
  }

  /** Begin of the first final without an answer. */
  get firstPending(): number | undefined {
    return this.#slots.find((slot) => slot.job !== undefined)?.job?.start;
  }

  /** Keeps a place for a final's answer. Finals come in order and do not overlap. */
  expect(job: Job): Job {
    this.silence(job.start);
    this.#covered = job.end;
    this.#slots.push({ job, events: undefined });
    return job;
  }

  /** Counts everything up to `position` that no final covers as silence. */
  silence(position: number): void {
    if (position <= this.#covered) return;
    this.tally.silent += position - this.#covered;
    this.#covered = position;
  }

  /** Puts an event behind all answers expected so far. Returns what can be sent. */
  mark(event: PipelineEvent): PipelineEvent[] {
    this.#slots.push({ job: undefined, events: [event] });
    return this.#ready();
  }

  /** A final's outcome. Returns the events that can be sent now, in order. */
  settle(job: Job, outcome: Outcome): PipelineEvent[] {
    const slot = this.#slots.find((candidate) => candidate.job === job);
    if (slot === undefined) throw new Error(`pipeline: an outcome for ${job.start}..${job.end}, which is not expected`);
    slot.events = this.#answer(job, outcome);
    return this.#ready();
  }

  /** A final that will not be asked for after all, and has no samples. Returns the events that can be sent now. */
  skip(job: Job): PipelineEvent[] {
    const slot = this.#slots.find((candidate) => candidate.job === job);
    if (slot !== undefined) slot.events = [];
    return this.#ready();
  }

  /** An interim's outcome as an event; undefined: nothing to send. */
  interim(job: Job, outcome: Outcome): PipelineEvent | undefined {
    if (outcome.status === "dropped") return undefined;
    this.tally.interims += 1;
    return outcome.status === "ok" ? this.#segment(job, outcome, { is_final: false }) : undefined;
  }

  /**
   * Gives up: names with errors everything that is still expected, and behind it what no final covers yet of the samples from `open`
   * to `clock`. What is before `open` and not covered is silence.
   */
  abort(open: number, clock: number, code: ErrorCode, message: string): PipelineEvent[] {
    this.silence(open);
    if (clock > this.#covered) this.expect({ kind: "final", start: this.#covered, end: clock });
    for (const slot of this.#slots) {
      if (slot.job !== undefined) slot.events ??= [this.#failure(slot.job, code, message)];
    }
    return this.#ready();
  }

  #ready(): PipelineEvent[] {
    let count = 0;
    while (this.#slots[count]?.events !== undefined) count += 1;
    return this.#slots.splice(0, count).flatMap(({ events }) => events ?? []);
  }

  #answer(job: Job, outcome: Outcome): readonly PipelineEvent[] {
    if (outcome.status === "dropped") throw new Error(`pipeline: the final of ${job.start}..${job.end} was dropped`);
    if (outcome.status === "failed") return [this.#failure(job, outcome.code, outcome.message)];
    this.tally.inferred += job.end - job.start;
    if (outcome.output === undefined && outcome.audio === undefined) return [];
    if (job.step === "finish") return [{ type: "data", ...this.#result(outcome) }];
    this.tally.segments += 1;
    return [this.#segment(job, outcome, this.#extra)];
  }

  #failure(job: Job, code: ErrorCode, message: string): PipelineEvent {
    this.tally.failed += job.end - job.start;
    this.tally.errors += 1;
    const { fatal, retryable } = ERRORS[code];
    // What a model has still to say at the end covers no samples.
    return { type: "error", code, message, fatal, retryable, ...(job.step !== "finish" && this.#bounds(job)) };
  }

  #segment(job: Job, outcome: Answered, extra: { is_final?: boolean }): PipelineEvent {
    const { lagMs } = this.#options;
    return {
      type: "segment",
      ...this.#bounds(job),
      ...extra,
      ...this.#result(outcome),
      ...(lagMs && { timing: { queue_ms: outcome.queueMs, infer_ms: outcome.inferMs, lag_ms: lagMs(job.end) } }),
    };
  }

  #result({ output, audio }: Answered): Record<string, unknown> & Pick<PipelineEvent, "resultAudio"> {
    if (audio === undefined) return { ...output };
    const { samples, sampleRate } = audio;
    return { ...output, audio: { bytes: samples.byteLength, sample_rate: sampleRate }, resultAudio: audio };
  }

  #bounds(job: Job): { start_time: number; end_time: number } {
    return { start_time: job.start / this.#options.sampleRate, end_time: job.end / this.#options.sampleRate };
  }
}
