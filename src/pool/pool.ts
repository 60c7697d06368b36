import type { Clock } from "../lib/clock.ts";
import { systemClock } from "../lib/clock.ts";
import type { Outcome } from "../model/job.ts";
import type { ModelMetrics } from "../telemetry/metrics/model-metrics.ts";
import { ServerMetrics } from "../telemetry/metrics/server-metrics.ts";
import type { DoneMessage, ModelInfo } from "../worker/messages.ts";
import type { Assignment } from "./assignments.ts";
import type { AudioJob, Lane } from "./lane.ts";
import { outcomeOf, Outcomes } from "./outcomes.ts";
import type { ModelPoolOptions, PoolStats } from "./pool-options.ts";
import { LOAD_TIMEOUT_MS } from "./pool-options.ts";
import type { QueuedJob } from "./queued-job.ts";
import { RateLimitedLog } from "./rate-limited-log.ts";
import { Scheduler } from "./scheduler.ts";
import type { Ending } from "./worker-thread.ts";
import type { LaneOptions } from "./workers.ts";
import { Workers } from "./workers.ts";

export type { ModelPoolOptions, PoolStats } from "./pool-options.ts";

interface Payload {
  readonly work: AudioJob;
  readonly settle: (outcome: Outcome) => void;
  readonly lane: LaneOptions;
}

/** Longer than workers usually take to load a model. */
const LONGEST_ABSENCE_MS = 5000;

type Job = QueuedJob<Payload>;

/** A model on worker threads: takes work from lanes, decides through the scheduler what runs next, and answers each piece of
 *  work exactly once, whatever happens to its worker. */
export class ModelPool {
  /** Resolves when every worker is loaded and warm; rejects with a sentence when one cannot be. */
  readonly ready: Promise<void>;

  readonly #options: ModelPoolOptions;
  readonly #clock: Clock;
  readonly #log: RateLimitedLog;
  readonly #metrics: ModelMetrics;
  readonly #outcomes: Outcomes;
  readonly #workers: Workers;
  #scheduler: Scheduler<Payload> | undefined;
  #info: ModelInfo | undefined;
  /** Calls under way, by worker. */
  readonly #calls = new Map<number, { readonly number: number; readonly assignment: Assignment<Payload> }>();
  readonly #lanes = new Set<Lane>();
  #laneNumbers = 0;
  #turnScheduled = false;
  #timer: { readonly atMs: number; readonly cancel: () => void } | undefined;
  #closed = false;
  readonly #totals = { calls: 0, pieces: 0, failures: 0, timeouts: 0, crashes: 0, dropped: 0 };

  constructor(options: ModelPoolOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#log = new RateLimitedLog(options.log, this.#clock);
    this.#metrics = options.metrics ?? new ServerMetrics().model(options.model);
    this.#metrics.observePool(options.workers, () => this.stats);
    this.#outcomes = new Outcomes(this.#log);
    this.#workers = new Workers({
      workers: options.workers,
      url: options.workerUrl,
      load: {
        type: "load",
        arena: options.arena.buffer,
        model: options.model,
        settings: options.settings,
        warmUp: options.warmUp ?? true,
      },
      loadTimeoutMs: options.loadTimeoutMs ?? LOAD_TIMEOUT_MS,
      clock: this.#clock,
      log: this.#log,
      ready: (worker, info) => this.#workerReady(worker, info),
      done: (worker, message) => this.#callDone(worker, message),
      gone: (worker, ending) => this.#workerGone(worker, ending),
      loadFailed: () => this.#metrics.workerDied("load"),
      noneLeft: () => this.#failWaiting(),
    });
    this.ready = this.#workers.started;
  }

  /** The model's name; before `ready` the one it was asked for by. */
  get name(): string {
    return this.#info?.name ?? this.#options.model;
  }

  /** What the loaded model says about itself. Throws before `ready`. */
  get info(): ModelInfo {
    if (!this.#info) throw new Error("the model is not ready yet");
    return this.#info;
  }

  /** Samples per second that the model wants. Throws before `ready`. */
  get sampleRate(): number {
    return this.info.sampleRate;
  }

  /** Finals queued or running. */
  get finalsPending(): number {
    return this.#scheduler?.finalsPending ?? 0;
  }

  get stats(): PoolStats {
    return {
      workersReady: this.#workers.readyCount,
      workersBusy: this.#calls.size,
      lanes: this.#lanes.size,
      finalsWaiting: this.#scheduler?.finalsWaiting ?? 0,
      interimsWaiting: this.#scheduler?.interimsWaiting ?? 0,
      finalsPending: this.finalsPending,
      ...this.#totals,
      spawns: this.#workers.spawns,
    };
  }

  /** Opens the way for one channel of one stream. Lanes of the same `session` share its turns. Throws before `ready`. */
  lane(session: object | number, options: unknown): Lane {
    if (!this.#scheduler || this.#closed) throw new Error("the model is not ready");
    const scheduler = this.#scheduler;
    const place = scheduler.openLane(session);
    const facts: LaneOptions = { number: this.#laneNumbers++, options };
    const lane: Lane = {
      submit: (work, settle) => {
        if (this.info.stateful !== (work.step !== undefined)) throw new Error("only stateful models take steps");
        for (const slab of work.audio.slabs) this.#options.arena.retain(slab);
        scheduler.submit(place, work.kind, { work, settle, lane: facts }, this.#clock.now());
        this.#collectDropped();
        this.#scheduleTurn();
      },
      close: () => {
        if (!this.#lanes.delete(lane)) return;
        scheduler.closeLane(place);
        if (options !== undefined) this.#workers.forget(facts.number);
        this.#collectDropped();
        this.#scheduleTurn();
      },
    };
    this.#lanes.add(lane);
    return lane;
  }

  /** Ends all workers. What is not settled settles as `dropped`; nothing is said after that. */
  async close(): Promise<void> {
    if (!this.#closed) {
      for (const lane of this.#lanes) lane.close();
      this.#closed = true;
      this.#timer?.cancel();
    }
    await this.#workers.close();
  }

  #workerReady(worker: number, info: ModelInfo): void {
    this.#info ??= info;
    this.#scheduler ??= new Scheduler({
      workers: this.#options.workers,
      maxInFlight: this.#options.maxInFlight,
      stateful: info.stateful,
      maxBatch: info.maxBatch,
      maxBatchWaitMs: info.maxBatchWaitMs,
      idempotent: info.idempotent,
      timeoutMs: this.#options.inferenceTimeoutMs,
      absenceMs: LONGEST_ABSENCE_MS,
    });
    this.#scheduler.workerReady(worker);
    this.#scheduleTurn();
  }

  #callDone(worker: number, message: DoneMessage): void {
    const call = this.#calls.get(worker);
    if (!call || call.number !== message.call || call.assignment.jobs.length !== message.answers.length) return;
    this.#calls.delete(worker);
    const jobs = this.#scheduler!.callEnded(worker, this.#clock.now());
    this.#measure(jobs, message.inferMs);
    // The worker gets its next call before this one's results are told, which takes a while.
    this.#turn();
    for (const [i, job] of jobs.entries()) {
      this.#release(job);
      if (job.cancelled) continue;
      const answer = message.answers[i]!;
      if (answer.error !== undefined) {
        this.#totals.failures++;
        this.#metrics.jobFailed("inference_failed");
        this.#log.warn("inference_failed", { model: this.name, worker, error: answer.error, stack: answer.stack });
      }
      const queueMs = job.startedMs - job.submittedMs;
      const outcome = outcomeOf(answer, { queueMs, inferMs: message.inferMs, worker, batchSize: jobs.length });
      this.#outcomes.now(job.payload.settle, outcome);
    }
  }

  #workerGone(worker: number, ending: Ending): void {
    if (!this.#closed) {
      this.#totals.crashes++;
      const { cause, stack } = ending;
      this.#metrics.workerDied(stack === undefined ? "exit" : "error");
      this.#log.warn("worker_crashed", { model: this.name, worker, cause, stack });
    }
    this.#endCall(worker, "worker_crashed", "the worker that ran the model crashed");
  }

  #endCall(worker: number, code: "worker_crashed" | "inference_timeout", message: string): Job[] {
    const now = this.#clock.now();
    const running = this.#calls.get(worker)?.assignment.jobs ?? [];
    if (running[0] !== undefined) this.#measure(running, now - running[0].startedMs);
    this.#calls.delete(worker);
    const jobs = this.#scheduler?.workerGone(worker, now, code === "worker_crashed") ?? [];
    for (const job of jobs) {
      if (code === "worker_crashed") this.#release(job);
      if (job.cancelled) continue;
      this.#totals.failures++;
      this.#metrics.jobFailed(code);
      const queueMs = job.startedMs - job.submittedMs;
      this.#outcomes.now(job.payload.settle, {
        status: "failed",
        code,
        message,
        queueMs,
        inferMs: now - job.startedMs,
      });
    }
    this.#scheduleTurn();
    return jobs;
  }

  /** There is no worker, and none could be started: better an error than a wait without end. */
  #failWaiting(): void {
    const now = this.#clock.now();
    for (const job of this.#scheduler?.takeWaiting() ?? []) {
      this.#release(job);
      this.#totals.failures++;
      this.#metrics.jobFailed("worker_crashed");
      const message = "no worker for the model could be started";
      const times = { queueMs: now - job.submittedMs, inferMs: 0 };
      this.#outcomes.now(job.payload.settle, { status: "failed", code: "worker_crashed", message, ...times });
    }
  }

  #collectDropped(): void {
    for (const job of this.#scheduler?.takeDropped() ?? []) {
      this.#totals.dropped++;
      if (job.kind === "interim") this.#metrics.interimEnded(job.drop);
      // A cancelled job is still being read.
      if (!job.cancelled) this.#release(job);
      this.#outcomes.later(job.payload.settle, { status: "dropped" });
    }
  }

  /** A call has ended, with an answer or without. */
  #measure(jobs: readonly Job[], inferMs: number): void {
    const [first] = jobs;
    if (first === undefined) return;
    const samples = jobs.reduce((sum, { payload }) => sum + payload.work.audio.length, 0);
    this.#metrics.callEnded(
      first.kind,
      inferMs,
      jobs.length,
      samples / this.sampleRate,
      first.payload.work.traceparent,
    );
  }

  #release(job: Job): void {
    for (const slab of job.payload.work.audio.slabs) this.#options.arena.release(slab);
  }

  /** What is submitted in one go is looked at together: a batch can form, and a final overtakes an interim. */
  #scheduleTurn(): void {
    if (this.#turnScheduled) return;
    this.#turnScheduled = true;
    queueMicrotask(() => {
      this.#turnScheduled = false;
      this.#outcomes.flush();
      this.#turn();
    });
  }

  #turn(): void {
    const scheduler = this.#scheduler;
    if (!scheduler || this.#closed) return;
    const now = this.#clock.now();
    for (const worker of scheduler.overdue(now)) {
      this.#totals.timeouts++;
      this.#metrics.workerDied("timeout");
      this.#log.warn("inference_timeout", { model: this.name, worker, timeout_ms: this.#options.inferenceTimeoutMs });
      const words = `the model took longer than ${this.#options.inferenceTimeoutMs} ms`;
      const jobs = this.#endCall(worker, "inference_timeout", words);
      this.#workers.replace(worker, () => jobs.forEach((job) => this.#release(job)));
    }
    for (let call = scheduler.next(now); call; call = scheduler.next(now)) this.#send(call);
    const dueMs = scheduler.nextDueMs();
    if (dueMs === Infinity || (this.#timer && this.#timer.atMs <= dueMs)) return;
    this.#timer?.cancel();
    const cancel = this.#clock.after(Math.max(0, dueMs - now), () => {
      this.#timer = undefined;
      this.#turn();
    });
    this.#timer = { atMs: dueMs, cancel };
  }

  #send(assignment: Assignment<Payload>): void {
    const { worker, jobs } = assignment;
    const number = this.#totals.calls++;
    this.#totals.pieces += jobs.length;
    for (const { kind, payload, startedMs, submittedMs } of jobs) {
      this.#metrics.jobStarted(kind, startedMs - submittedMs, payload.work.traceparent);
    }
    this.#calls.set(worker, { number, assignment });
    this.#workers.call(
      worker,
      number,
      jobs.map(({ payload }) => payload),
    );
  }
}
