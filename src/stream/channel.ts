import { Arena } from "../audio/arena.ts";
import type { Store } from "../audio/store.ts";
import type { Job, Outcome } from "../model/job.ts";
import type { DecidedWindows } from "../native/chain.ts";
import type { EnergyVad } from "../native/vad.ts";
import { Answers, type Tally } from "../pipeline/answers.ts";
import type { Pipeline, SavedPipeline, Step, Suspicion } from "../pipeline/pipeline.ts";
import type { Lane } from "../pool/lane.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import type { ServerEvent } from "../protocol/events.ts";
import type { MainThreadTimer } from "../telemetry/metrics/main-thread-timer.ts";
import type { StreamOwner } from "./owner.ts";
import type { StreamPlan } from "./plan.ts";
import { isPlain } from "./resume/plain-state.ts";
import type { ChannelState } from "./resume/resume-state.ts";
import type { StreamTelemetry, Submission } from "./stream-telemetry.ts";

/** Bytes of a job and its result, apart from their audio, as a round figure. */
const JOB_BYTES = 1_024;

/** The stream that a channel belongs to. */
export interface ChannelHost {
  readonly owner: StreamOwner;
  readonly arena: Arena;
  readonly telemetry: StreamTelemetry;
  readonly thread: MainThreadTimer;
  /** A final was submitted, or has its outcome. */
  submitted(): void;
  settled(submission: Submission, outcome: Outcome): void;
  /** A result that is not an interim, or a `flushed`, may have been sent. */
  answered(): void;
  /** Seconds of audio received so far. */
  readonly receivedSeconds: number;
}

/** One channel of a stream: its samples, its pipeline and answers, and its lane to the model. */
export class Channel implements Disposable {
  readonly index: number;
  readonly store: Store;
  readonly #host: ChannelHost;
  readonly #answers: Answers;
  readonly #pipeline: Pipeline;
  readonly #lane: Lane;
  /** Samples that the pipeline has seen. */
  #position: number;
  /** Speech events so far, and those of them that have been sent, here or by the stream that this one goes on from. */
  #speechEvents: number;
  #speechEventsSent: number;
  #disposed = false;

  /** @param saved the state to go on from. Throws InvalidState. */
  constructor(index: number, store: Store, plan: StreamPlan, host: ChannelHost, saved?: ChannelState) {
    const { prepared, model } = plan;
    const { sampleRate } = model;
    const lagMs = (position: number) => Math.max(0, (host.receivedSeconds - position / sampleRate) * 1000);
    this.index = index;
    this.store = store;
    this.#host = host;
    this.#position = store.end;
    this.#speechEvents = saved?.made ?? 0;
    this.#speechEventsSent = saved?.sent ?? 0;
    const options = { sampleRate, finalFields: prepared.finalFields, ...(plan.timing && { lagMs }) };
    this.#answers = new Answers(options, saved?.answered);
    const modelState = saved?.model?.kind === "value" ? { value: saved.model.value } : undefined;
    this.#pipeline = prepared.create(this.#answers, saved && { state: saved.pipeline, modelState });
    this.#lane = model.lane({ caller: host.owner.caller.id, stream: host.owner }, plan.modelOptions);
  }

  get tally(): Readonly<Tally> {
    return this.#answers.tally;
  }

  /** Results and markers that the client has not got yet. */
  get pending(): number {
    return this.#answers.pending;
  }

  /** Bytes of jobs without a result, and of results that wait for earlier ones. */
  get queuedBytes(): number {
    return this.pending * JOB_BYTES + this.#answers.waitingBytes;
  }

  /** See `Pipeline.grid`. */
  get grid(): number {
    return this.#pipeline.grid;
  }

  /** Up to where it is answered, or was by the stream that it goes on from. */
  get answered(): number {
    return this.#answers.answered.position;
  }

  /** Returns the state at this position, for a checkpoint that may come later. */
  save(): { pipeline: SavedPipeline; made: number } {
    return { pipeline: this.#pipeline.save(), made: this.#speechEvents };
  }

  /** Returns a state that `save` returned with what has been answered and sent until now. */
  state(saved: { readonly pipeline: SavedPipeline; readonly made: number }): ChannelState {
    const { modelState } = this.#pipeline;
    const value = modelState?.value;
    const model = isPlain(value) ? ({ kind: "value", value } as const) : ({ kind: "lost" } as const);
    const sent = this.#speechEventsSent;
    return { ...saved, answered: this.#answers.answered, sent, ...(modelState && { model }) };
  }

  /** The first suspicious thing found in the channel's audio. */
  get suspicion(): Suspicion | undefined {
    return this.#pipeline.suspicion;
  }

  /** Samples before this position are not needed any more. */
  get needed(): number {
    return this.#answers.firstPending ?? this.#pipeline.needed;
  }

  /** Samples of the open utterance or block, and of what comes before it in case it becomes one. */
  get openSamples(): number {
    return this.store.end - Math.min(this.#pipeline.needed, this.store.end);
  }

  /** Slabs that become free when all jobs have been answered. */
  get releasableSlabs(): number {
    const { store } = this;
    const kept = Math.floor((store.end - this.openSamples) / Arena.SLAB_SAMPLES);
    return Math.max(0, kept - Math.floor((store.end - store.retained) / Arena.SLAB_SAMPLES));
  }

  /** The detector of the pipeline, for the decoder to run. See `Pipeline.detector`. */
  get detector(): EnergyVad | undefined {
    return this.#pipeline.detector;
  }

  /**
   * Runs the pipeline on the samples that the store has got since the last call: one run.
   * @param windows decisions about them; undefined: the pipeline decides, if it wants to
   */
  push(windows: DecidedWindows | undefined): void {
    const { store } = this;
    const length = store.end - this.#position;
    if (length === 0) return;
    const step = this.#pipeline.push(this.#host.arena.samples, store.indexOf(this.#position), length, windows);
    this.#position = store.end;
    this.#apply(step);
  }

  /**
   * Ends the open utterance or partial block here.
   * @param marked a `flushed` event follows its results
   */
  flush(marked: boolean): void {
    this.#apply(this.#pipeline.flush());
    if (!marked) return;
    this.#apply({ events: this.#answers.flushed(this.#position), jobs: [] });
    this.#host.answered();
  }

  end(): void {
    this.#apply(this.#pipeline.end());
  }

  /**
   * Answers everything that is open with errors of this code.
   * @param end samples that the stream comes to, decoded or not
   * @returns true when at least one error was sent
   */
  abort(end: number, code: ErrorCode, message: string): boolean {
    const events = this.#answers.abort(this.#pipeline.undecided, end, code, message);
    this.#apply({ events, jobs: [] });
    return events.some(({ type }) => type === "error");
  }

  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    using rest = new DisposableStack();
    rest.use(this.store);
    rest.use(this.#pipeline);
    rest.defer(() => this.#lane.close());
  }

  /**
   * Sends the events of a step and submits its jobs. Returns whether the last event was sent; undefined: there was
   * none.
   */
  #apply(step: Step): boolean | undefined {
    const { owner, telemetry } = this.#host;
    let sent: boolean | undefined;
    for (const pipelineEvent of step.events) {
      if (isSpeechEvent(pipelineEvent) && this.#wasSent()) continue;
      const { resultAudio, ...event } = pipelineEvent;
      telemetry.event(this.index, pipelineEvent);
      sent = owner.send({ ...event, channel: this.index } as ServerEvent, resultAudio);
    }
    for (const job of step.jobs) this.#submit(job);
    this.store.release(Math.min(this.needed, this.store.end));
    return sent;
  }

  /** Counts a speech event. Returns whether the stream that this one goes on from has sent it. */
  #wasSent(): boolean {
    this.#speechEvents += 1;
    if (this.#speechEvents <= this.#speechEventsSent) return true;
    this.#speechEventsSent = this.#speechEvents;
    return false;
  }

  #submit(job: Job): void {
    const audio = this.store.span(job.start, job.end);
    const submission = this.#host.telemetry.submitted(this.index, job, this.store.end);
    const { traceparent } = submission.trace;
    if (job.kind === "final") this.#host.submitted();
    this.#lane.submit({ ...job, audio, traceparent }, (outcome) => this.#settle(submission, outcome));
  }

  #settle(submission: Submission, outcome: Outcome): void {
    if (this.#disposed) return;
    const { owner, thread } = this.#host;
    try {
      const outer = thread.enter("result");
      this.#answer(submission, outcome);
      owner.progress();
      thread.leave(outer);
    } catch (error) {
      thread.leave(undefined);
      owner.failed(error);
    }
  }

  #answer(submission: Submission, outcome: Outcome): void {
    const { telemetry } = this.#host;
    const isFinal = submission.job.kind === "final";
    if (isFinal) {
      telemetry.settled(submission, outcome);
      this.#host.settled(submission, outcome);
    }
    const sent = this.#apply(this.#pipeline.resolved(submission.job, outcome));
    if (!isFinal) return telemetry.interimSettled(submission, outcome, sent);
    const answeredBefore = this.pending === 0 ? Infinity : this.needed;
    telemetry.finalsSent(this.index, answeredBefore, this.#host.receivedSeconds);
    this.#host.answered();
  }
}

function isSpeechEvent({ type }: { readonly type: string }): boolean {
  return type === "active" || type === "inactive";
}
