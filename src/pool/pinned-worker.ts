import type { LaneOwner } from "./lane.ts";
import type { EndedCalls, SchedulerLane } from "./queued-job.ts";
import type { SchedulerOptions } from "./scheduler-options.ts";
import { Scheduler } from "./scheduler.ts";
import type { CallQueues } from "./withdrawals.ts";

/** One worker of a pinned model, with the lanes that are bound to it. */
export class PinnedWorker {
  readonly scheduler: Scheduler;
  readonly lanes = new Set<PinnedLane>();
  #ready = false;

  constructor(options: SchedulerOptions, queues: CallQueues) {
    // Its jobs are those of streams, one at a time, and cannot be repeated.
    this.scheduler = new Scheduler({ ...options, workers: 1, stateful: true, idempotent: false }, queues);
  }

  /** It takes calls. */
  get ready(): boolean {
    return this.#ready;
  }

  workerReady(worker: number): void {
    this.#ready = true;
    this.scheduler.workerReady(worker);
  }

  workerEnded(worker: number, now: number): EndedCalls {
    this.#ready = false;
    return this.scheduler.workerEnded(worker, now, false);
  }
}

/** A lane and the worker that it is bound to. */
export class PinnedLane {
  readonly owner: LaneOwner;
  readonly #options: unknown;
  readonly #number: number;
  /** The lane in the scheduler of its first worker. */
  readonly handle: SchedulerLane;
  #worker: PinnedWorker;
  #current: SchedulerLane;

  /** @param number unique in the pool; the same for all workers */
  constructor(owner: LaneOwner, options: unknown, number: number, worker: PinnedWorker) {
    this.owner = owner;
    this.#options = options;
    this.#number = number;
    this.#worker = worker;
    this.handle = this.#current = worker.scheduler.openLane(owner, options, number);
    worker.lanes.add(this);
  }

  get worker(): PinnedWorker {
    return this.#worker;
  }

  /** The lane in the scheduler of the worker. */
  get current(): SchedulerLane {
    return this.#current;
  }

  /** It has a job that its worker does not run. */
  get waits(): boolean {
    return this.#current.finals.entries.size + this.#current.blocked.size > 0;
  }

  /** Binds the lane to another worker, with the jobs that wait. None may be running. */
  bindTo(worker: PinnedWorker): void {
    const { scheduler, lanes } = this.#worker;
    lanes.delete(this);
    scheduler.closeLane(this.#current);
    const waiting = scheduler.takeDropped();
    this.#worker = worker;
    worker.lanes.add(this);
    this.#current = worker.scheduler.openLane(this.owner, this.#options, this.#number);
    for (const { job, settle, submittedMs } of waiting) {
      worker.scheduler.submit(this.#current, job, settle, submittedMs);
    }
  }
}
