import type { Arena } from "../audio/arena.ts";
import type { StreamPlaces } from "../capacity/model-load.ts";
import type { Clock } from "../lib/clock.ts";
import type { ModelInfo } from "../model/model-info.ts";
import { CallEnds, type Ended } from "./call-ends.ts";
import { Disposals } from "./disposals.ts";
import type { JobScheduler } from "./job-scheduler.ts";
import type { AudioJob, Lane, LaneOwner, Settle } from "./lane.ts";
import { Outcomes } from "./outcomes.ts";
import { OverdueCalls } from "./overdue-calls.ts";
import { PinnedScheduler } from "./pinned-scheduler.ts";
import { MAX_STREAMS, type PoolLimits } from "./pool-options.ts";
import type { PoolTelemetry } from "./pool-telemetry.ts";
import type { AssignedCall, SchedulerLane } from "./queued-job.ts";
import { Scheduler } from "./scheduler.ts";
import { WakeTimer } from "./wake-timer.ts";
import type { CallQueues } from "./withdrawals.ts";
import type { CallResult, HostExit } from "./worker-host.ts";
import { CLOSE_GRACE_MS } from "./worker-slot.ts";
import type { Workers } from "./workers.ts";

/** Time for which a lost worker counts as occupied. Workers usually load their model faster. */
const LOST_MS = 5000;

/** Time until a turn that failed by a fault of the server is taken again. */
const RETRY_MS = 100;

/** For a stream of a pinned model. */
const HOPELESS = "the model is unavailable: the worker of the stream is lost, and others have no room for it";

const NO_AUDIO = { slabs: [], offset: 0, length: 0 };

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
  readonly scheduler: JobScheduler;
  /** The same, of a pinned model; undefined: the model is not. */
  readonly #pinned: PinnedScheduler | undefined;
  readonly #options: DispatcherOptions;
  readonly #outcomes: Outcomes;
  readonly #timer: WakeTimer;
  readonly #lanes = new Set<Lane>();
  /** Undefined: the model has no `dispose`. */
  readonly #disposals: Disposals | undefined;
  readonly #ends: CallEnds;
  readonly #overdue: OverdueCalls;
  #closed = false;

  constructor(options: DispatcherOptions) {
    const { info, limits, telemetry, arena, clock } = options;
    this.#options = options;
    this.#outcomes = new Outcomes(telemetry, arena);
    this.#timer = new WakeTimer(clock, () => this.#wake());
    const { workers, maxInFlight, inferenceTimeoutMs: timeoutMs, maxStreams = MAX_STREAMS } = limits;
    const rules = { ...info, workers, maxInFlight, timeoutMs, lostMs: LOST_MS };
    const queues: CallQueues = {
      ahead: options.workers.ahead,
      withdraw: (call) => this.#withdraw(call),
      abort: (call) => this.#abort(call),
    };
    if (info.pinned) {
      const isComing = (worker: number): boolean => options.workers.isComing(worker);
      this.#pinned = new PinnedScheduler(rules, queues, { maxStreams, isComing });
    }
    this.scheduler = this.#pinned ?? new Scheduler(rules, queues);
    if (info.disposes) this.#disposals = new Disposals((...state) => this.#dispose(...state));
    const parts = { info, telemetry, clock, scheduler: this.scheduler, workers: options.workers };
    this.#ends = new CallEnds({ ...parts, outcomes: this.#outcomes, disposals: this.#disposals });
    this.#overdue = new OverdueCalls({ ...parts, ends: this.#ends, timeoutMs });
  }

  /** A lane is open, a call runs, or a state is being disposed of. */
  get isUsed(): boolean {
    return this.#lanes.size > 0 || this.scheduler.busyWorkers > 0 || this.#disposals?.isIdle === false;
  }

  /** Undefined: the model is not pinned. */
  get places(): StreamPlaces | undefined {
    return this.#pinned?.places;
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
    const ended: Ended[] = [];
    this.#ends.take(worker, () => results, ended);
    for (let other = 0; other < this.#options.limits.workers; other++) {
      if (other !== worker) this.#ends.take(other, () => this.#options.workers.poll(other), ended);
    }
    // The workers get their next calls before these results are delivered, which takes some time.
    this.#wake();
    for (const each of ended) this.#ends.deliver(each);
  }

  workerExited(worker: number, exit: HostExit): void {
    if (!this.#closed) this.#options.telemetry.workerCrashed(worker, exit);
    this.#ends.workerExited(worker);
    this.#timer.wakeSoon();
  }

  /** Fewer workers are expected than before. */
  workersFewer(): void {
    this.#timer.wakeSoon();
  }

  /** Fails all waiting jobs: there is no worker, and none could be started. */
  failWaiting(): void {
    const message = `the model is unavailable: ${this.#options.workers.unavailable?.reason ?? "it has no worker"}`;
    this.#ends.failUnstarted(this.scheduler.takeWaiting(), message);
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
    const takesSteps = info.stateful || info.pinned;
    if (takesSteps !== (job.step !== undefined)) throw new Error("only models with state or streams take steps");
    arena.retainSpan(job.audio);
    try {
      this.scheduler.submit(lane, job, settle, clock.now());
    } catch (error) {
      arena.releaseSpan(job.audio);
      throw error;
    }
    this.#settleDropped();
    // Jobs that are submitted together are scheduled together: they form a batch, and finals go first.
    this.#timer.wakeSoon();
  }

  #closeLane(lane: SchedulerLane): void {
    this.scheduler.closeLane(lane);
    this.#disposals?.laneClosed(lane);
    const { info, workers } = this.#options;
    if (lane.options !== undefined || info.pinned) workers.forget(lane.number);
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
    const dropped = this.scheduler.takeDropped();
    for (const job of dropped) {
      // A worker still reads the samples of a cancelled job.
      if (!job.cancelled) this.#outcomes.release(job);
      this.#outcomes.defer(job.settle, { status: "dropped" });
    }
    for (const job of dropped) this.#options.telemetry.jobDropped(job);
  }

  /** Takes back a call that its worker has not taken. */
  #withdraw({ worker, number, jobs }: AssignedCall): boolean {
    if (!this.#options.workers.withdraw(worker, number)) return false;
    if (this.#disposals !== undefined) for (const job of jobs) this.#disposals.jobWithdrawn(job);
    for (const job of jobs) if (job.cancelled) this.#outcomes.release(job);
    return true;
  }

  #abort({ worker, number, expired }: AssignedCall): void {
    if (this.#options.info.concurrency === undefined) return;
    this.#options.workers.abort(worker, number, expired ? "timeout" : "unwanted");
  }

  /** Takes a turn. After a fault, what was left out of it is made up for in the next one. */
  #wake(): void {
    try {
      this.#turn();
    } catch (error) {
      const { telemetry, clock } = this.#options;
      telemetry.faulted("schedule", error);
      this.#timer.wakeAt(clock.now() + RETRY_MS);
    }
  }

  /** Delivers what was deferred and starts the calls that can start now. */
  #turn(): void {
    this.#outcomes.flush();
    if (this.#closed) return;
    const { scheduler } = this;
    const { clock, workers } = this.#options;
    const now = clock.now();
    for (const call of scheduler.overdue(now)) this.#overdue.handle(call);
    if (workers.none) this.failWaiting();
    if (this.#pinned !== undefined) this.#ends.failUnstarted(this.#pinned.takeHopeless(), HOPELESS);
    scheduler.review(now);
    for (let call = scheduler.next(now); call !== undefined; call = scheduler.next(now)) {
      if (this.#disposals !== undefined) for (const job of call.jobs) this.#disposals.jobStarted(job);
      try {
        workers.call(call.worker, call.number, call.jobs);
      } catch (error) {
        this.#ends.giveUp(call.worker, error);
      }
    }
    this.#timer.wakeAt(scheduler.nextDueMs(now));
  }
}
