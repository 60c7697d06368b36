import type { Job, Outcome } from "../model/job.ts";
import { errorEvent } from "../protocol/error-event.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import type { PipelineEvent } from "./pipeline.ts";

/** Samples and results of one channel, as the ledger of the protocol counts them. */
export interface Tally {
  inferred: number;
  silent: number;
  failed: number;
  segments: number;
  interims: number;
  errors: number;
}

/** Up to where a channel is answered, and the account of what lies before: what another stream goes on from. */
export interface Answered {
  /** End of the last final that has been returned. */
  readonly position: number;
  readonly tally: Readonly<Tally>;
}

export interface AnswersOptions {
  /** The model's rate, Hz. */
  readonly sampleRate: number;
  /** Fields that every final has besides its bounds and the model's output. */
  readonly finalFields?: { readonly is_final?: true };
  /**
   * Milliseconds of audio that were received after `position`; present when the client asked for `timing`. A segment
   * reports it as the audio not answered yet.
   */
  readonly lagMs?: (position: number) => number;
}

/** The place of one final, or of a marker, among the answers. */
interface Slot {
  /** Undefined: a marker, which waits only for the slots before it. */
  readonly job: Job | undefined;
  /** Undefined until the job has its outcome. Empty: the model returned no result. */
  events: readonly PipelineEvent[] | undefined;
}

type Success = Extract<Outcome, { status: "ok" }>;

/**
 * The answers of one channel in the order of its audio: each waits for those before it, whatever order the outcomes
 * come in. The ledger counts exactly what is sent, since both are written here.
 */
export class Answers {
  readonly tally: Tally = { inferred: 0, silent: 0, failed: 0, segments: 0, interims: 0, errors: 0 };
  readonly sampleRate: number;
  readonly #options: AnswersOptions;
  readonly #slots: Slot[] = [];
  /** End of the last final. Samples between two finals are silence. */
  #covered: number;
  /** The same, and the account, of the finals that have been returned. */
  #answered: number;
  readonly #returned: Pick<Tally, "inferred" | "failed" | "segments" | "errors">;

  /** @param answered where the stream that this one goes on from was answered up to; its finals are not answered again */
  constructor(options: AnswersOptions, answered?: Answered) {
    this.#options = options;
    this.sampleRate = options.sampleRate;
    this.#covered = this.#answered = answered?.position ?? 0;
    Object.assign(this.tally, answered?.tally);
    const { inferred, failed, segments, errors } = this.tally;
    this.#returned = { inferred, failed, segments, errors };
  }

  /** Up to where everything has been answered. */
  get answered(): Answered {
    const position = this.#answered;
    const { inferred, failed } = this.#returned;
    const { interims } = this.tally;
    return { position, tally: { ...this.#returned, silent: position - inferred - failed, interims } };
  }

  /** End of the last final that is expected, or was answered by the stream before. */
  get covered(): number {
    return this.#covered;
  }

  /** Finals and markers that have not been returned yet. */
  get pending(): number {
    return this.#slots.length;
  }

  /** Start of the first final without an answer. */
  get firstPending(): number | undefined {
    for (const { job } of this.#slots) if (job !== undefined) return job.start;
    return undefined;
  }

  /**
   * Reserves the place of a final. Finals come in order and do not overlap. Returns undefined for one that has been
   * answered by the stream before, and only the rest of one that it answered in part.
   */
  expect(job: Job): Job | undefined {
    if (job.start < this.#covered) {
      if (job.end <= this.#covered) return undefined;
      job = { ...job, start: this.#covered };
    }
    this.silence(job.start);
    this.#covered = job.end;
    this.#slots.push({ job, events: undefined });
    return job;
  }

  /** Counts the samples before `position` that no final covers as silence. */
  silence(position: number): void {
    if (position <= this.#covered) return;
    this.tally.silent += position - this.#covered;
    this.#covered = position;
  }

  /** Puts `flushed` behind all answers expected so far. Returns the events that can be sent now. */
  flushed(position: number): PipelineEvent[] {
    this.#slots.push({ job: undefined, events: [{ type: "flushed", time: position / this.sampleRate }] });
    return this.#takeReady();
  }

  /** Answers a final. Returns the events that can be sent now, in order. */
  settle(job: Job, outcome: Outcome): PipelineEvent[] {
    const slot = this.#slots.find((candidate) => candidate.job === job);
    if (slot === undefined) throw new Error(`answers: an outcome for ${job.start}..${job.end}, which is not expected`);
    slot.events = this.#answer(job, outcome);
    return this.#takeReady();
  }

  /**
   * Gives up the place of a final without samples that will not be submitted. Returns the events that can be sent now.
   */
  skip(job: Job): PipelineEvent[] {
    const slot = this.#slots.find((candidate) => candidate.job === job);
    if (slot !== undefined) slot.events = [];
    return this.#takeReady();
  }

  /** Counts an interim and returns its event; undefined when there is nothing to send. */
  interim(job: Job, outcome: Outcome): PipelineEvent | undefined {
    if (outcome.status === "dropped") return undefined;
    this.tally.interims += 1;
    return outcome.status === "ok" ? this.#segment(job, outcome, { is_final: false }) : undefined;
  }

  /**
   * Answers everything that is open with errors: each final without an answer, and the samples from `undecided` to
   * `end` that no final covers. Earlier samples without a final are silence.
   */
  abort(undecided: number, end: number, code: ErrorCode, message: string): PipelineEvent[] {
    this.silence(Math.min(undecided, end));
    if (end > this.#covered) this.expect({ kind: "final", start: this.#covered, end });
    for (const slot of this.#slots) {
      if (slot.job !== undefined) slot.events ??= [this.#failure(slot.job, code, message)];
    }
    return this.#takeReady();
  }

  /** Bytes of the audio of results that wait for earlier ones. */
  get waitingBytes(): number {
    let bytes = 0;
    for (const { events } of this.#slots) {
      for (const event of events ?? []) bytes += event.resultAudio?.samples.byteLength ?? 0;
    }
    return bytes;
  }

  #takeReady(): PipelineEvent[] {
    const ready: PipelineEvent[] = [];
    for (let events = this.#slots[0]?.events; events !== undefined; events = this.#slots[0]?.events) {
      const { job } = this.#slots.shift()!;
      if (job !== undefined) this.#count(job, events[0]);
      for (const event of events) ready.push(event);
    }
    return ready;
  }

  #count({ start, end }: Job, event: PipelineEvent | undefined): void {
    const returned = this.#returned;
    this.#answered = end;
    if (event?.type === "error") {
      returned.failed += end - start;
      returned.errors += 1;
    } else {
      returned.inferred += end - start;
      if (event?.type === "segment") returned.segments += 1;
    }
  }

  #answer(job: Job, outcome: Outcome): readonly PipelineEvent[] {
    if (outcome.status === "dropped") throw new Error(`answers: the final of ${job.start}..${job.end} was dropped`);
    if (outcome.status === "failed") return [this.#failure(job, outcome.code, outcome.message)];
    this.tally.inferred += job.end - job.start;
    if (outcome.output === undefined && outcome.audio === undefined) return [];
    if (job.step === "finish") return [{ type: "data", ...result(outcome) }];
    this.tally.segments += 1;
    return [this.#segment(job, outcome, this.#options.finalFields ?? {})];
  }

  #failure(job: Job, code: ErrorCode, message: string): PipelineEvent {
    this.tally.failed += job.end - job.start;
    this.tally.errors += 1;
    // A model's last result, at the end of a stream, covers no samples.
    return errorEvent({ code, message, ...(job.step !== "finish" && this.#bounds(job)) });
  }

  #segment(job: Job, outcome: Success, extra: { is_final?: boolean }): PipelineEvent {
    const { lagMs } = this.#options;
    return {
      type: "segment",
      ...this.#bounds(job),
      ...extra,
      ...result(outcome),
      ...(lagMs && { timing: { queue_ms: outcome.queueMs, infer_ms: outcome.inferMs, lag_ms: lagMs(job.end) } }),
    };
  }

  #bounds(job: Job): { start_time: number; end_time: number } {
    return { start_time: job.start / this.sampleRate, end_time: job.end / this.sampleRate };
  }
}

/** The model's output as fields of an event, with the audio that follows it announced. */
function result({ output, audio }: Success): Record<string, unknown> & Pick<PipelineEvent, "resultAudio"> {
  if (audio === undefined) return { ...output };
  const { samples, sampleRate } = audio;
  return { ...output, audio: { bytes: samples.byteLength, sample_rate: sampleRate }, resultAudio: audio };
}
