import type { FairQueue } from "../lib/fair-queue.ts";
import type { ModelInfo } from "../model/model-info.ts";
import type { Assignments, JobFilter } from "./assignments.ts";
import type { LookAhead } from "./look-ahead.ts";
import type { Owners } from "./owners.ts";
import type { AssignedCall, QueuedJob } from "./queued-job.ts";
import type { WaitingJobs } from "./waiting-jobs.ts";
import type { WorkerCalls } from "./worker-calls.ts";

export interface SelectionOptions extends Pick<ModelInfo, "maxBatch" | "maxBatchWaitMs"> {
  /** Calls that all workers take at once. */
  readonly places: number;
  /** Longest time for one call. */
  readonly timeoutMs: number;
}

/** Selects the jobs of the next call and its worker: an idle one if there is one, else one that takes it later. */
export class Selection {
  readonly #waiting: WaitingJobs;
  readonly #owners: Owners;
  readonly #assignments: Assignments;
  readonly #lookAhead: LookAhead;
  readonly #options: SelectionOptions;

  constructor(
    waiting: WaitingJobs,
    owners: Owners,
    assignments: Assignments,
    lookAhead: LookAhead,
    options: SelectionOptions,
  ) {
    this.#waiting = waiting;
    this.#owners = owners;
    this.#assignments = assignments;
    this.#lookAhead = lookAhead;
    this.#options = options;
  }

  /** The filter for the next call on an idle worker; undefined: all jobs may start. */
  get filter(): JobFilter | undefined {
    return this.#owners.openStreams > 1 ? this.#assignments.filter : undefined;
  }

  /** Assigns the next call; undefined: there is none now. */
  next(now: number): AssignedCall | undefined {
    const { filter } = this;
    const queue = this.#nextQueue(filter);
    if (queue === undefined) return this.#nextAhead(now);
    if (now < this.#holdUntilMs(queue, filter)) return undefined;
    return this.#assignments.assign(this.#take(queue, filter), now, this.#options.timeoutMs);
  }

  /** The time at which `next` may have another result though nothing else happens; Infinity: never. */
  nextDueMs(now: number): number {
    const { filter } = this;
    const queue = this.#nextQueue(filter);
    if (queue !== undefined) return this.#holdUntilMs(queue, filter);
    const behind = this.#nextBehind(now);
    return behind === undefined ? Infinity : this.#holdUntilMs(this.#waiting.finals, this.#filterBehind(behind));
  }

  /** The queue from which the next call is filled; undefined: there is no job for an idle worker, or none is idle. */
  #nextQueue(filter: JobFilter | undefined): FairQueue<QueuedJob> | undefined {
    if (this.#assignments.idle === 0) return undefined;
    const { finals, interims } = this.#waiting;
    if (finals.next(filter) !== undefined) return finals;
    return this.#assignments.interimAllowed(this.#options.places) && interims.next(filter) ? interims : undefined;
  }

  /** Assigns a call of finals to a busy worker. */
  #nextAhead(now: number): AssignedCall | undefined {
    const behind = this.#nextBehind(now);
    if (behind === undefined) return undefined;
    const [{ finals }, filter] = [this.#waiting, this.#filterBehind(behind)];
    if (now < this.#holdUntilMs(finals, filter)) return undefined;
    return this.#assignments.assign(this.#take(finals, filter), now, this.#options.timeoutMs, behind.place);
  }

  /** The busy worker that gets the next call ahead; undefined: none, or there is no job for it. */
  #nextBehind(now: number): WorkerCalls | undefined {
    const { finals } = this.#waiting;
    if (finals.size === 0) return undefined;
    const calls = this.#lookAhead.choose(this.#assignments.busyWorkers, now);
    return calls !== undefined && finals.next(this.#filterBehind(calls)) !== undefined ? calls : undefined;
  }

  #filterBehind(calls: WorkerCalls): JobFilter | undefined {
    return this.#owners.openStreams > 1 ? this.#assignments.filterBehind(calls) : undefined;
  }

  /** Takes the jobs of one call from a queue that has one. */
  #take(queue: FairQueue<QueuedJob>, filter: JobFilter | undefined): QueuedJob[] {
    const jobs: QueuedJob[] = [];
    while (jobs.length < this.#options.maxBatch) {
      const job = queue.next(filter);
      if (job === undefined || (job.calls > 0 && jobs.length > 0)) break;
      queue.take(filter);
      job.calls++;
      job.lane.jobStarted(job);
      jobs.push(job);
      if (job.calls > 1) break;
    }
    return jobs;
  }

  /**
   * The time until which the next jobs of the queue wait for others to join them; -Infinity: they do not. Jobs that the
   * filter rejects count as well: at worst, a batch is smaller than it could have been.
   */
  #holdUntilMs(queue: FairQueue<QueuedJob>, filter: JobFilter | undefined): number {
    const { maxBatch, maxBatchWaitMs } = this.#options;
    if (queue.size >= maxBatch || queue.next(filter)!.calls > 0) return -Infinity;
    return queue.oldest!.runnableMs + maxBatchWaitMs;
  }
}
