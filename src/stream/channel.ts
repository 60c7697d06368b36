import { Arena } from "../audio/arena.ts";
import type { Store } from "../audio/store.ts";
import { isInterim, type Job, type Outcome } from "../model/job.ts";
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
import { savedModel } from "./resume/plain-state.ts";
import type { ChannelState } from "./resume/resume-state.ts";
import { SpeechEvents } from "./speech-events.ts";
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
  readonly #speechEvents: SpeechEvents;
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
    this.#speechEvents = new SpeechEvents(saved);
    const { oddWords } = model;
    const options = {
      ...{ sampleRate, finalFields: prepared.finalFields },
      ...(plan.timing && { lagMs }),
      ...(oddWords && { oddWords }),
    };
    this.#answers = new Answers(options, saved?.answered);
    const modelState = saved?.model?.kind === "value" ? { value: saved.model.value } : undefined;
    this.#pipeline = prepared.create(this.#answers, saved && { state: saved.pipeline, modelState });
    this.#lane = model.lane({ caller: host.owner.caller.id, stream: host.owner }, plan.modelOptions);
  }

  get tally(): Readonly<Tally> {
    return this.#answers.tally;
  }

  /** Results and markers that the client has not got yet, and a call that runs for no final. */
  get pending(): number {
    return this.#answers.pending + (this.#pipeline.busy === true ? 1 : 0);
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
    return { pipeline: this.#pipeline.save(), made: this.#speechEvents.made };
  }

  /** Returns a state that `save` returned with what has been answered and sent until now. */
  state(saved: { readonly pipeline: SavedPipeline; readonly made: number }): ChannelState {
    const { modelState } = this.#pipeline;
    const { sent } = this.#speechEvents;
    return { ...saved, answered: this.#answers.answered, sent, ...(modelState && { model: savedModel(modelState) }) };
  }

  /** The first suspicious thing found in the channel's audio. */
  get suspicion(): Suspicion | undefined {
    return this.#pipeline.suspicion;
  }

  /** Samples before this position are in an answer, or silence. */
  get unanswered(): number {
    return this.#answers.firstPending ?? this.#pipeline.unanswered ?? this.#pipeline.needed;
  }

  /** Samples before this position are not needed any more. */
  get needed(): number {
    return this.#pipeline.held ?? this.unanswered;
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
      if (this.#speechEvents.isRepeated(pipelineEvent)) continue;
      const { resultAudio, ...event } = pipelineEvent;
      telemetry.event(this.index, pipelineEvent);
      sent = owner.send({ ...event, channel: this.index } as ServerEvent, resultAudio);
    }
    for (const job of step.jobs) this.#submit(job);
    this.store.release(Math.min(this.needed, this.store.end));
    return sent;
  }

  #submit(job: Job): void {
    const audio = this.store.span(job.start, job.end);
    // The last call for an utterance has none of its samples.
    const start = job.step === "finish" ? (this.#answers.firstPending ?? job.start) : job.start;
    const submission = this.#host.telemetry.submitted(this.index, job, { start, position: this.store.end });
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
    const { job } = submission;
    if (job.kind === "final") this.#host.settled(submission, outcome);
    telemetry.settled(submission, outcome);
    const step = this.#pipeline.resolved(job, outcome);
    const sent = this.#apply(step);
    if (isInterim(job)) {
      const last = step.events.at(-1);
      const isSent = last?.type === "segment" && last.is_final === false ? sent : undefined;
      telemetry.interimSettled(submission, outcome, isSent);
      // A step may end what was spoken before it by an error.
      if (step.events.length === 0 || isSent !== undefined) return;
    }
    const answeredBefore = this.pending === 0 ? Infinity : this.unanswered;
    telemetry.finalsSent(this.index, answeredBefore, this.#host.receivedSeconds);
    this.#host.answered();
  }
}
