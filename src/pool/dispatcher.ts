import type { Arena } from "../audio/arena.ts";
import type { Clock } from "../lib/clock.ts";
import type { JobResult } from "../model/job.ts";
import type { ModelInfo } from "../model/model-info.ts";
import { Disposals } from "./disposals.ts";
import type { AudioJob, Lane, LaneOwner, Settle } from "./lane.ts";
import { Outcomes, resultOutcome } from "./outcomes.ts";
import type { PoolLimits } from "./pool-options.ts";
import type { PoolTelemetry } from "./pool-telemetry.ts";
import type { AssignedCall, EndedCalls, QueuedJob, SchedulerLane } from "./queued-job.ts";
import { Scheduler } from "./scheduler.ts";
import { WakeTimer } from "./wake-timer.ts";
import type { CallResult, HostExit } from "./worker-host.ts";
import { CLOSE_GRACE_MS } from "./worker-slot.ts";
import type { Workers } from "./workers.ts";

/** Time for which a lost worker counts as occupied. Workers usually load their model faster. */
const LOST_MS = 5000;

const NO_AUDIO = { slabs: [], offset: 0, length: 0 };

/** A call that has ended, and its results. */
interface Ended {
  readonly call: AssignedCall;
  readonly result: CallResult;
}

export interface DispatcherOptions {
  readonly info: ModelInfo;
  readonly limits: PoolLimits;
  /** With the samples of the jobs. */
  readonly arena: Arena;
  readonly workers: Workers;
  readonly telemetry: PoolTelemetry;
  readonly clock: Clock;
}

/**
 * Runs the jobs of a loaded model: takes them from lanes, calls the workers in the order of the scheduler, and settles
 * each job exactly once, also when its worker ends or does not respond.
 *
 * A job holds a reference to its samples until no worker can read them: until its call has ended or its host has.
 */
export class Dispatcher {
  readonly scheduler: Scheduler;
  readonly #options: DispatcherOptions;
  readonly #outcomes: Outcomes;
  readonly #timer: WakeTimer;
  readonly #lanes = new Set<Lane>();
  /** Undefined: the model has no `dispose`. */
  readonly #disposals: Disposals | undefined;
  #closed = false;

  constructor(options: DispatcherOptions) {
    const { info, limits, telemetry, arena, clock } = options;
    this.#options = options;
    this.#outcomes = new Outcomes(telemetry, arena);
    this.#timer = new WakeTimer(clock, () => this.#turn());
    const { workers, maxInFlight, inferenceTimeoutMs: timeoutMs } = limits;
    this.scheduler = new Scheduler(
      { ...info, workers, maxInFlight, timeoutMs, lostMs: LOST_MS },
      { ahead: options.workers.ahead, withdraw: (call) => this.#withdraw(call) },
    );
    if (info.disposes) this.#disposals = new Disposals((...state) => this.#dispose(...state));
  }

  /** Opens a lane for one channel. @param options of the `start`, for the model; undefined: none */
  lane(owner: LaneOwner, options: unknown): Lane {
    const schedulerLane = this.scheduler.openLane(owner, options);
    const lane: Lane = {
      submit: (job, settle) => this.#submit(schedulerLane, job, settle),
      close: () => {
        if (this.#lanes.delete(lane)) this.#closeLane(schedulerLane);
      },
    };
    this.#lanes.add(lane);
    return lane;
  }

  workerReady(worker: number): void {
    this.scheduler.workerReady(worker);
    this.#timer.wakeSoon();
  }

  /** Calls have ended with results. Those of other workers that have come meanwhile are handled with them. */
  callsDone(worker: number, results: readonly CallResult[]): void {
    const now = this.#options.clock.now();
    const ended = this.#endCalls(worker, results, now);
    for (let other = 0; other < this.#options.limits.workers; other++) {
      if (other !== worker) ended.push(...this.#endCalls(other, this.#options.workers.poll(other), now));
    }
    // The workers get their next calls before these results are delivered, which takes some time.
    this.#turn();
    for (const each of ended) this.#deliver(each);
  }

  workerExited(worker: number, exit: HostExit): void {
    if (!this.#closed) this.#options.telemetry.workerCrashed(worker, exit);
    const ended = this.#endWorker(worker, "worker_crashed", "the worker that ran the model crashed");
    for (const job of ended.calls.flatMap(({ jobs }) => jobs)) {
      if (ended.jobs.includes(job)) this.#jobEnded(job);
      else this.#disposals?.jobEnded(job, undefined);
    }
  }

  /** Fails all waiting jobs: there is no worker, and none could be started. */
  failWaiting(): void {
    const now = this.#options.clock.now();
    const message = `the model is unavailable: ${this.#options.workers.unavailable?.reason ?? "it has no worker"}`;
    for (const job of this.scheduler.takeWaiting()) {
      this.#outcomes.release(job);
      this.#outcomes.failUnstarted(job, message, now);
    }
  }

  /** Closes all lanes, and disposes of their states as far as that is possible in a short time. */
  async close(): Promise<void> {
    for (const lane of this.#lanes) lane.close();
    await this.#disposals?.idle(this.#options.clock, CLOSE_GRACE_MS);
    this.#closed = true;
    this.#timer.cancel();
  }

  #submit(lane: SchedulerLane, job: AudioJob, settle: Settle): void {
    const { info, arena, clock } = this.#options;
    if (info.stateful !== (job.step !== undefined)) throw new Error("only stateful models take steps");
    arena.retainSpan(job.audio);
    this.scheduler.submit(lane, job, settle, clock.now());
    this.#settleDropped();
    // Jobs that are submitted together are scheduled together: they form a batch, and finals go first.
    this.#timer.wakeSoon();
  }

  #closeLane(lane: SchedulerLane): void {
    this.scheduler.closeLane(lane);
    this.#disposals?.laneClosed(lane);
    if (lane.options !== undefined) this.#options.workers.forget(lane.number);
    this.#settleDropped();
    this.#timer.wakeSoon();
  }

  /** Gives a state to the model's `dispose`, in the turn of the stream that it is of. */
  #dispose({ stream, options }: SchedulerLane, state: unknown, done: () => void): void {
    const lane = this.scheduler.openLane({ caller: stream.caller.caller, stream: stream.stream }, options);
    this.#submit(lane, { kind: "final", start: 0, end: 0, audio: NO_AUDIO, step: "dispose", state }, () => {
      this.#closeLane(lane);
      done();
    });
  }

  #settleDropped(): void {
    for (const job of this.scheduler.takeDropped()) {
      this.#options.telemetry.jobDropped(job);
      // A worker still reads the samples of a cancelled job.
      if (!job.cancelled) this.#outcomes.release(job);
      this.#outcomes.defer(job.settle, { status: "dropped" });
    }
  }

  /** Removes the calls of these results from the worker. */
  #endCalls(worker: number, results: readonly CallResult[], now: number): Ended[] {
    const ended: Ended[] = [];
    for (const result of results) {
      const call = this.scheduler.callEnded(worker, result.call, result.inferMs, now);
      if (call === undefined) continue;
      this.#options.telemetry.callEnded(call, result.inferMs, this.#options.info.sampleRate);
      ended.push({ call, result });
    }
    return ended;
  }

  #deliver({ call, result: { results, inferMs } }: Ended): void {
    const { telemetry } = this.#options;
    const { worker } = call;
    for (const [i, job] of call.jobs.entries()) {
      const result = results[i]!;
      this.#jobEnded(job, result);
      if (result.uncloned !== undefined) telemetry.stateUncloned(worker, result.uncloned);
      if (result.error !== undefined && !job.cancelled) telemetry.inferenceFailed(worker, result.error, result.stack);
      if (!job.cancelled) this.#outcomes.deliver(job.settle, resultOutcome(job, result, call, inferMs));
    }
  }

  /** Takes back a call that its worker has not taken. */
  #withdraw({ worker, number, jobs }: AssignedCall): boolean {
    if (!this.#options.workers.withdraw(worker, number)) return false;
    if (this.#disposals !== undefined) for (const job of jobs) this.#disposals.jobWithdrawn(job);
    return true;
  }

  #replaceOverdue(worker: number): void {
    const { limits, telemetry, workers, clock } = this.#options;
    const { inferenceTimeoutMs } = limits;
    // In this order: a worker that takes another call meanwhile has written the result of the one before.
    this.scheduler.withdrawFrom(worker);
    const late = this.#endCalls(worker, workers.poll(worker), clock.now());
    if (late.length === 0) {
      telemetry.callTimedOut(worker, inferenceTimeoutMs);
      const message = `the model took longer than ${inferenceTimeoutMs} ms`;
      const { jobs } = this.#endWorker(worker, "inference_timeout", message);
      // Until the abandoned worker has ended, it may read the samples and use the state.
      workers.replace(worker, () => jobs.forEach((job) => this.#jobEnded(job)));
    }
    for (const each of late) this.#deliver(each);
  }

  /** Ends the worker's calls without results. Returns what has ended; a worker may still read the samples. */
  #endWorker(worker: number, code: "worker_crashed" | "inference_timeout", message: string): EndedCalls {
    const { telemetry, info, clock } = this.#options;
    const now = clock.now();
    const ended = this.scheduler.workerEnded(worker, now, code === "worker_crashed");
    for (const call of ended.calls) {
      telemetry.callEnded(call, now - (call.startedMs ?? now), info.sampleRate);
    }
    for (const job of ended.jobs) if (!job.cancelled) this.#outcomes.fail(job, code, message, now);
    this.#timer.wakeSoon();
    return ended;
  }

  /** No worker runs the job any more. */
  #jobEnded(job: QueuedJob, result?: JobResult): void {
    this.#outcomes.release(job);
    this.#disposals?.jobEnded(job, result);
  }

  /** Delivers what was deferred and starts the calls that can start now. */
  #turn(): void {
    this.#outcomes.flush();
    if (this.#closed) return;
    const { scheduler } = this;
    const { clock, workers } = this.#options;
    const now = clock.now();
    for (const worker of scheduler.overdue(now)) this.#replaceOverdue(worker);
    if (workers.none) this.failWaiting();
    scheduler.review(now);
    for (let call = scheduler.next(now); call !== undefined; call = scheduler.next(now)) {
      if (this.#disposals !== undefined) for (const job of call.jobs) this.#disposals.jobStarted(job);
      workers.call(call.worker, call.number, call.jobs);
    }
    this.#timer.wakeAt(scheduler.nextDueMs(now));
  }
}
