import type { Arena } from "../audio/arena.ts";
import type { Clock } from "../lib/clock.ts";
import { systemClock } from "../lib/clock.ts";
import type { ModelInfo } from "../model/model-info.ts";
import { RateLimitedLog } from "../telemetry/log/rate-limited-log.ts";
import type { ModelMetrics, PoolLoad } from "../telemetry/metrics/model-metrics.ts";
import type { AudioJob, Lane, LaneOwner, Settle } from "./lane.ts";
import { failedOutcome, Outcomes, resultOutcome, unstartedOutcome } from "./outcomes.ts";
import type { ModelPoolOptions, PoolLimits } from "./pool-options.ts";
import { LOAD_TIMEOUT_MS } from "./pool-options.ts";
import { PoolTelemetry } from "./pool-telemetry.ts";
import type { QueuedJob, SchedulerLane } from "./queued-job.ts";
import { Scheduler } from "./scheduler.ts";
import { WakeTimer } from "./wake-timer.ts";
import type { CallResult, HostExit } from "./worker-host.ts";
import { Workers } from "./workers.ts";

/** Time for which a lost worker counts as occupied. Workers usually load their model faster. */
const LOST_MS = 5000;

/**
 * A model on a fixed number of workers. Takes jobs from lanes, runs them in the order of the scheduler, and settles
 * each exactly once, also when its worker ends or does not respond.
 *
 * A job holds a reference to its samples until no worker can read them: until its call has ended or its host has.
 */
export class ModelPool {
  /**
   * Resolves when all workers are ready. Rejects when one cannot be started; the message names the model and the cause.
   */
  readonly ready: Promise<void>;

  readonly #limits: PoolLimits;
  readonly #arena: Arena;
  readonly #clock: Clock;
  readonly #openMetrics: (exported: string) => ModelMetrics | undefined;
  readonly #telemetry: PoolTelemetry;
  readonly #outcomes: Outcomes;
  readonly #workers: Workers;
  readonly #timer: WakeTimer;
  readonly #lanes = new Set<Lane>();
  #info: ModelInfo | undefined;
  #scheduler: Scheduler | undefined;
  #closed = false;

  constructor({ model, settings, limits, arena, startHost, log, metrics, clock = systemClock }: ModelPoolOptions) {
    this.#limits = limits;
    this.#openMetrics = (exported) => metrics?.(exported);
    this.#arena = arena;
    this.#clock = clock;
    this.#telemetry = new PoolTelemetry(model, new RateLimitedLog(log, clock));
    this.#outcomes = new Outcomes(this.#telemetry);
    this.#timer = new WakeTimer(clock, () => this.#turn());
    this.#workers = new Workers({
      count: limits.workers,
      model,
      startHost: (spawn, events) => startHost({ model, settings, arena, spawn }, events),
      loadTimeoutMs: limits.loadTimeoutMs ?? LOAD_TIMEOUT_MS,
      clock,
      events: {
        ready: (worker, info) => this.#workerReady(worker, info),
        done: (worker, result) => this.#callDone(worker, result),
        exited: (worker, exit) => this.#workerExited(worker, exit),
        loadFailed: (worker, exit) => this.#telemetry.loadFailed(worker, exit),
        allFailed: () => this.#failWaiting(),
        stuck: (worker, leaving) => this.#telemetry.workerStuck(worker, leaving),
        strangeMessage: (worker) => this.#telemetry.strangeMessage(worker),
      },
    });
    this.ready = this.#workers.started;
  }

  /** Throws before the first worker is ready; so do `sampleRate` and `lane`. */
  get info(): ModelInfo {
    if (this.#info === undefined) throw new Error("the model is not ready");
    return this.#info;
  }

  /** The model's sample rate, Hz. */
  get sampleRate(): number {
    return this.info.sampleRate;
  }

  /** Finals that are queued or running. */
  get finalsPending(): number {
    return this.#scheduler?.finalsPending ?? 0;
  }

  get load(): PoolLoad {
    return {
      workersReady: this.#workers.readyCount,
      workersBusy: this.#scheduler?.busyWorkers ?? 0,
      finalsWaiting: this.#scheduler?.finalsWaiting ?? 0,
      interimsWaiting: this.#scheduler?.interimsWaiting ?? 0,
      spawns: this.#workers.spawns,
    };
  }

  /** Opens a lane for one channel. @param options of the `start`, for the model; undefined: none */
  lane(owner: LaneOwner, options: unknown): Lane {
    const scheduler = this.#scheduler;
    if (scheduler === undefined || this.#closed) throw new Error("the model is not ready");
    const schedulerLane = scheduler.openLane(owner, options);
    const lane: Lane = {
      submit: (job, settle) => this.#submit(scheduler, schedulerLane, job, settle),
      close: () => {
        if (this.#lanes.delete(lane)) this.#closeLane(scheduler, schedulerLane);
      },
    };
    this.#lanes.add(lane);
    return lane;
  }

  /** Ends all workers. Jobs that are still open settle as `dropped`. Nothing is logged afterwards. */
  async close(): Promise<void> {
    if (!this.#closed) {
      for (const lane of this.#lanes) lane.close();
      this.#closed = true;
      this.#timer.cancel();
    }
    await this.#workers.close();
  }

  #submit(scheduler: Scheduler, lane: SchedulerLane, job: AudioJob, settle: Settle): void {
    if (this.info.stateful !== (job.step !== undefined)) throw new Error("only stateful models take steps");
    this.#arena.retainSpan(job.audio);
    scheduler.submit(lane, job, settle, this.#clock.now());
    this.#settleDropped(scheduler);
    // Jobs that are submitted together are scheduled together: they form a batch, and finals go first.
    this.#timer.wakeSoon();
  }

  #closeLane(scheduler: Scheduler, lane: SchedulerLane): void {
    scheduler.closeLane(lane);
    if (lane.options !== undefined) this.#workers.forget(lane.number);
    this.#settleDropped(scheduler);
    this.#timer.wakeSoon();
  }

  #settleDropped(scheduler: Scheduler): void {
    for (const job of scheduler.takeDropped()) {
      this.#telemetry.jobDropped(job);
      // A worker still reads the samples of a cancelled job.
      if (!job.cancelled) this.#release(job);
      this.#outcomes.defer(job.settle, { status: "dropped" });
    }
  }

  #workerReady(worker: number, info: ModelInfo): void {
    const { workers, maxInFlight, inferenceTimeoutMs } = this.#limits;
    if (this.#scheduler === undefined) {
      this.#info = info;
      const metrics = this.#openMetrics(info.name);
      metrics?.observePool(workers, () => this.load);
      this.#telemetry.modelLoaded(info.name, metrics);
      this.#scheduler = new Scheduler({
        ...info,
        workers,
        maxInFlight,
        timeoutMs: inferenceTimeoutMs,
        lostMs: LOST_MS,
      });
    }
    this.#scheduler.workerReady(worker);
    this.#timer.wakeSoon();
  }

  #callDone(worker: number, { results, inferMs }: CallResult): void {
    const call = this.#scheduler?.call(worker);
    if (call === undefined) return;
    this.#scheduler?.callEnded(worker, this.#clock.now());
    this.#telemetry.callEnded(call, inferMs, this.sampleRate);
    // The worker gets its next call before the results of this one are delivered, which takes some time.
    this.#turn();
    for (const [i, job] of call.jobs.entries()) {
      this.#release(job);
      if (job.cancelled) continue;
      const result = results[i]!;
      if (result.error !== undefined) this.#telemetry.inferenceFailed(worker, result.error, result.stack);
      this.#outcomes.deliver(job.settle, resultOutcome(job, result, call, inferMs));
    }
  }

  #workerExited(worker: number, exit: HostExit): void {
    if (!this.#closed) this.#telemetry.workerCrashed(worker, exit);
    const jobs = this.#endCall(worker, "worker_crashed", "the worker that ran the model crashed");
    for (const job of jobs) this.#release(job);
  }

  #replaceOverdue(worker: number): void {
    const { inferenceTimeoutMs } = this.#limits;
    this.#telemetry.callTimedOut(worker, inferenceTimeoutMs);
    const message = `the model took longer than ${inferenceTimeoutMs} ms`;
    const jobs = this.#endCall(worker, "inference_timeout", message);
    this.#workers.replace(worker, () => jobs.forEach((job) => this.#release(job)));
  }

  /** Ends the worker's call without results. Returns the jobs that have ended; the caller releases their samples. */
  #endCall(worker: number, code: "worker_crashed" | "inference_timeout", message: string): readonly QueuedJob[] {
    const now = this.#clock.now();
    const call = this.#scheduler?.call(worker);
    if (call !== undefined) this.#telemetry.callEnded(call, now - call.startedMs, this.sampleRate);
    const jobs = this.#scheduler?.workerEnded(worker, now, code === "worker_crashed") ?? [];
    for (const job of jobs) {
      if (job.cancelled) continue;
      this.#telemetry.jobFailed(code);
      this.#outcomes.deliver(job.settle, failedOutcome(job, code, message, now));
    }
    this.#timer.wakeSoon();
    return jobs;
  }

  /** Fails all waiting jobs: there is no worker, and none could be started. */
  #failWaiting(): void {
    const now = this.#clock.now();
    for (const job of this.#scheduler?.takeWaiting() ?? []) {
      this.#release(job);
      this.#telemetry.jobFailed("worker_crashed");
      this.#outcomes.deliver(job.settle, unstartedOutcome(job, now));
    }
  }

  #release(job: QueuedJob): void {
    this.#arena.releaseSpan(job.job.audio);
  }

  /** Delivers what was deferred and starts the calls that can start now. */
  #turn(): void {
    this.#outcomes.flush();
    const scheduler = this.#scheduler;
    if (scheduler === undefined || this.#closed) return;
    const now = this.#clock.now();
    for (const worker of scheduler.overdue(now)) this.#replaceOverdue(worker);
    for (let call = scheduler.next(now); call !== undefined; call = scheduler.next(now)) {
      this.#telemetry.callStarted(call);
      this.#workers.call(call.worker, call.number, call.jobs);
    }
    this.#timer.wakeAt(scheduler.nextDueMs());
  }
}
