import type { Job, Outcome } from "../model/job.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import { AnswerEvents, type AnswerEventsOptions, isEmpty } from "./answer-events.ts";
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
  /** Finals before it, with and without a result. */
  readonly finals: number;
}

/** The place of one final, or of a marker, among the answers. */
interface Slot {
  /** Undefined: a marker, which waits only for the slots before it. */
  readonly job: Job | undefined;
  /** Undefined until the job has its outcome. Empty: the model returned no result. */
  events: readonly PipelineEvent[] | undefined;
}

/**
 * The answers of one channel in the order of its audio: each waits for those before it, whatever order the outcomes
 * come in. The ledger counts exactly what is sent, since both are written here.
 */
export class Answers {
  readonly tally: Tally = { inferred: 0, silent: 0, failed: 0, segments: 0, interims: 0, errors: 0 };
  readonly sampleRate: number;
  readonly #events: AnswerEvents;
  readonly #slots: Slot[] = [];
  /** End of the last final. Samples between two finals are silence. */
  #covered: number;
  /** The same, and the account, of the finals that have been returned. */
  #answered: number;
  readonly #returned: Pick<Tally, "inferred" | "failed" | "segments" | "errors"> & { finals: number };

  /** @param answered where the stream that this one goes on from was answered up to; its finals are not answered again */
  constructor(options: AnswerEventsOptions, answered?: Answered) {
    this.#events = new AnswerEvents(options);
    this.sampleRate = options.sampleRate;
    this.#covered = this.#answered = answered?.position ?? 0;
    Object.assign(this.tally, answered?.tally);
    const { inferred, failed, segments, errors } = this.tally;
    this.#returned = { inferred, failed, segments, errors, finals: answered?.finals ?? 0 };
  }

  /** Up to where everything has been answered. */
  get answered(): Answered {
    const position = this.#answered;
    const { finals, ...returned } = this.#returned;
    const { interims } = this.tally;
    const silent = position - returned.inferred - returned.failed;
    return { position, tally: { ...returned, silent, interims }, finals };
  }

  /** Number of the next final that is expected, from 0 in the stream that all of them go on from. */
  get nextFinal(): number {
    let expected = this.#returned.finals;
    for (const { job } of this.#slots) if (job !== undefined) expected += 1;
    return expected;
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

  /**
   * Divides a final without an answer: its rest from `position` on, which is within it, is another one behind it.
   * Returns both.
   */
  divide(job: Job, position: number): [Job, Job] {
    const index = this.#indexOf(job);
    const parts: [Job, Job] = [
      { ...job, end: position },
      { ...job, start: position },
    ];
    this.#slots.splice(index, 1, ...parts.map((part) => ({ job: part, events: undefined })));
    return parts;
  }

  /** Counts the samples of a final without an answer as silence. Returns the events that can be sent now. */
  withdraw(job: Job): PipelineEvent[] {
    this.#slots.splice(this.#indexOf(job), 1);
    this.tally.silent += job.end - job.start;
    return this.#takeReady();
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

  /**
   * Answers a final. Returns the events that can be sent now, in order.
   * @param origin position that the times of words count from; default: that of the first sample of the final
   */
  settle(job: Job, outcome: Outcome, origin = job.start): PipelineEvent[] {
    this.#slots[this.#indexOf(job)]!.events = this.#answer(job, outcome, origin);
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

  /**
   * Counts an interim and returns its event; undefined when there is nothing to send. One that the model has declined
   * does not count.
   */
  interim(job: Job, outcome: Outcome): PipelineEvent | undefined {
    if (outcome.status === "dropped" || (outcome.status === "ok" && isEmpty(outcome))) return undefined;
    this.tally.interims += 1;
    return outcome.status === "ok" ? this.#events.interim(job, outcome) : undefined;
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

  #indexOf(job: Job): number {
    const index = this.#slots.findIndex((slot) => slot.job === job);
    if (index === -1) throw new Error(`answers: an outcome for ${job.start}..${job.end}, which is not expected`);
    return index;
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
    returned.finals += 1;
    if (event?.type === "error") {
      returned.failed += end - start;
      returned.errors += 1;
    } else {
      returned.inferred += end - start;
      if (event?.type === "segment") returned.segments += 1;
    }
  }

  #answer(job: Job, outcome: Outcome, origin: number): readonly PipelineEvent[] {
    if (outcome.status === "dropped") throw new Error(`answers: the final of ${job.start}..${job.end} was dropped`);
    if (outcome.status === "failed") return [this.#failure(job, outcome.code, outcome.message)];
    this.tally.inferred += job.end - job.start;
    if (isEmpty(outcome)) return [];
    if (job.step !== "finish") this.tally.segments += 1;
    return [this.#events.final(job, outcome, origin)];
  }

  #failure(job: Job, code: ErrorCode, message: string): PipelineEvent {
    this.tally.failed += job.end - job.start;
    this.tally.errors += 1;
    return this.#events.failure(job, code, message);
  }
}
