import type { StreamPlaces } from "../capacity/model-load.ts";
import type { JobScheduler } from "./job-scheduler.ts";
import type { AudioJob, LaneOwner, Settle } from "./lane.ts";
import { PinnedLane, PinnedWorker } from "./pinned-worker.ts";
import type { AssignedCall, EndedCalls, QueuedJob, SchedulerLane } from "./queued-job.ts";
import type { SchedulerOptions } from "./scheduler-options.ts";
import type { Scheduler } from "./scheduler.ts";
import type { CallQueues } from "./withdrawals.ts";

export interface PinnedOptions {
  /** Lanes that one worker may have open. */
  readonly maxStreams: number;
  /** Returns whether a worker is ready, or is expected to be soon. */
  readonly isComing: (worker: number) => boolean;
}

/**
 * The scheduler of a pinned model, whose streams live in the worker that has opened them. Each worker has a scheduler of
 * its own, with the order and the turns of `Scheduler`; a lane is bound to one of them, at first to that with the fewest
 * lanes.
 *
 * The binding stays. Only when a lane has a job and its worker has ended, it is bound anew: to a worker that is ready and
 * has room, or else it waits for the replacement of its own. No worker ever has more lanes than its limit.
 */
export class PinnedScheduler implements JobScheduler {
  readonly #workers: readonly PinnedWorker[];
  readonly #options: PinnedOptions;
  /** By the lane that was opened first, which callers keep. */
  readonly #lanes = new Map<SchedulerLane, PinnedLane>();
  /** Open lanes of each stream. */
  readonly #streams = new Map<object, number>();
  #laneCount = 0;
  #dropped: QueuedJob[] = [];

  constructor(options: SchedulerOptions, queues: CallQueues, pinned: PinnedOptions) {
    this.#options = pinned;
    this.#workers = Array.from({ length: options.workers }, () => new PinnedWorker(options, queues));
  }

  get finalsPending(): number {
    return this.#sum(({ finalsPending }) => finalsPending);
  }

  get finalsWaiting(): number {
    return this.#sum(({ finalsWaiting }) => finalsWaiting);
  }

  get interimsWaiting(): number {
    return this.#sum(({ interimsWaiting }) => interimsWaiting);
  }

  get openStreams(): number {
    return this.#streams.size;
  }

  get idleWorkers(): number {
    return this.#sum(({ idleWorkers }) => idleWorkers);
  }

  get runningCalls(): number {
    return this.#sum(({ runningCalls }) => runningCalls);
  }

  get busyWorkers(): number {
    return this.#sum(({ busyWorkers }) => busyWorkers);
  }

  /** Open lanes, and how many there may be as long as no worker ends. */
  get places(): StreamPlaces {
    let allowed = 0;
    for (const worker of this.#workers.keys()) {
      if (this.#options.isComing(worker)) allowed += this.#options.maxStreams;
      // Lanes of a worker that does not come are open, too, but take no place of the others.
      else allowed += this.#workers[worker]!.lanes.size;
    }
    return { open: this.#lanes.size, allowed };
  }

  /** Throws when no worker has room: see `places`. */
  openLane(owner: LaneOwner, options: unknown): SchedulerLane {
    const worker = this.#roomiest((each) => each.ready) ?? this.#roomiest((_each, i) => this.#options.isComing(i));
    if (worker === undefined) throw new Error("all workers of the model have as many streams as they may");
    const lane = new PinnedLane(owner, options, this.#laneCount++, worker);
    this.#lanes.set(lane.handle, lane);
    this.#streams.set(owner.stream, (this.#streams.get(owner.stream) ?? 0) + 1);
    return lane.handle;
  }

  submit(handle: SchedulerLane, job: AudioJob, settle: Settle, now: number): void {
    const lane = this.#lanes.get(handle);
    const { worker, current } = lane ?? { worker: this.#workers[0]!, current: handle };
    worker.scheduler.submit(current, job, settle, now);
    this.#collectDropped(worker);
    if (lane !== undefined && !worker.ready) this.#bindAnew([lane]);
  }

  closeLane(handle: SchedulerLane): void {
    const lane = this.#lanes.get(handle);
    if (lane === undefined) return;
    this.#lanes.delete(handle);
    const { worker, owner } = lane;
    worker.lanes.delete(lane);
    worker.scheduler.closeLane(lane.current);
    this.#collectDropped(worker);
    const lanes = this.#streams.get(owner.stream)! - 1;
    if (lanes === 0) this.#streams.delete(owner.stream);
    else this.#streams.set(owner.stream, lanes);
    if (worker.ready) this.#bindStranded();
  }

  takeDropped(): readonly QueuedJob[] {
    const dropped = this.#dropped;
    if (dropped.length > 0) this.#dropped = [];
    return dropped;
  }

  workerReady(worker: number): void {
    this.#workers[worker]!.workerReady(worker);
    this.#bindStranded();
  }

  callEnded(worker: number, number: number, inferMs: number, now: number): AssignedCall | undefined {
    return this.#workers[worker]!.scheduler.callEnded(worker, number, inferMs, now);
  }

  withdrawFrom(worker: number): void {
    this.#workers[worker]!.scheduler.withdrawFrom(worker);
  }

  /** Jobs are never repeated: what the stream was is lost with the worker. */
  workerEnded(worker: number, now: number): EndedCalls {
    const ended = this.#workers[worker]!.workerEnded(worker, now);
    this.#bindStranded();
    return ended;
  }

  takeWaiting(): readonly QueuedJob[] {
    return this.#workers.flatMap(({ scheduler }) => scheduler.takeWaiting());
  }

  /** Removes and returns the jobs of workers that are not expected any more. */
  takeHopeless(): readonly QueuedJob[] {
    return this.#workers.flatMap(({ scheduler, ready }, worker) =>
      ready || this.#options.isComing(worker) ? [] : scheduler.takeWaiting(),
    );
  }

  review(now: number): void {
    for (const { scheduler } of this.#workers) scheduler.review(now);
  }

  next(now: number): AssignedCall | undefined {
    for (const { scheduler } of this.#workers) {
      const call = scheduler.next(now);
      if (call !== undefined) return call;
    }
    return undefined;
  }

  expire(call: AssignedCall, untilMs: number): readonly QueuedJob[] {
    return this.#workers[call.worker]!.scheduler.expire(call, untilMs);
  }

  overdue(now: number): readonly AssignedCall[] {
    return this.#workers.flatMap(({ scheduler }) => scheduler.overdue(now));
  }

  nextDueMs(now: number): number {
    return this.#workers.reduce((dueMs, { scheduler }) => Math.min(dueMs, scheduler.nextDueMs(now)), Infinity);
  }

  #sum(count: (scheduler: Scheduler) => number): number {
    return this.#workers.reduce((sum, { scheduler }) => sum + count(scheduler), 0);
  }

  #collectDropped({ scheduler }: PinnedWorker): void {
    const dropped = scheduler.takeDropped();
    if (dropped.length > 0) this.#dropped.push(...dropped);
  }

  /** Returns the worker with the fewest lanes that has room; undefined: none has. */
  #roomiest(isEligible: (worker: PinnedWorker, index: number) => boolean): PinnedWorker | undefined {
    let chosen: PinnedWorker | undefined;
    for (const [index, worker] of this.#workers.entries()) {
      if (worker.lanes.size >= (chosen?.lanes.size ?? this.#options.maxStreams)) continue;
      if (isEligible(worker, index)) chosen = worker;
    }
    return chosen;
  }

  /** Binds the lanes that have jobs, and no worker to run them, to workers that are ready. */
  #bindStranded(): void {
    for (const { ready, lanes } of this.#workers) {
      if (!ready) this.#bindAnew([...lanes].filter((lane) => lane.waits));
    }
  }

  #bindAnew(lanes: readonly PinnedLane[]): void {
    for (const lane of lanes) {
      const worker = this.#roomiest((each) => each.ready);
      if (worker === undefined) return;
      lane.bindTo(worker);
    }
  }
}
