import type { FairQueue } from "../lib/fair-queue.ts";
import type { ModelInfo } from "../model/model-info.ts";
import type { JobFilter, RunningCall } from "./assignments.ts";
import { Assignments } from "./assignments.ts";
import type { AudioJob, LaneOwner, Settle } from "./lane.ts";
import { Owners } from "./owners.ts";
import type { StreamTurns } from "./queued-job.ts";
import { QueuedJob, SchedulerLane } from "./queued-job.ts";
import { WaitingJobs } from "./waiting-jobs.ts";

export interface SchedulerOptions extends Pick<ModelInfo, "stateful" | "maxBatch" | "maxBatchWaitMs" | "idempotent"> {
  readonly workers: number;
  /** Finals of one lane that may run at once. A lane of a stateful model runs one. */
  readonly maxInFlight: number;
  /** Longest time for one call. */
  readonly timeoutMs: number;
  /**
   * Time for which a worker that ended during a call counts as occupied by the streams of the call, unless it is back.
   */
  readonly lostMs: number;
}

/**
 * Decides which jobs run next on which worker. Synchronous, without timers: the time is a parameter, and the caller
 * asks for calls with `next` until there are none.
 *
 * Order: finals before interims; among equals callers take turns, then the streams of a caller, then the lanes of a
 * stream. With N > 1 workers, at most N - 1 of those that are ready run interims, so that a final finds a worker. A
 * call has either finals or interims, so that interims do not delay finals.
 *
 * Reserve: a call cannot be interrupted. While several streams have lanes open, none of them occupies all workers: a
 * stream with a job in every running call does not get the last idle worker. Other streams' jobs do. The rule counts
 * streams, not callers, because many people may share one caller (a proxy, or several clients on one host).
 *
 * No operation looks at all lanes or streams. Picking a job passes over at most as many streams as a call has jobs.
 */
export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #waiting: WaitingJobs;
  readonly #owners: Owners;
  readonly #assignments: Assignments;
  #laneCount = 0;
  #finalsPending = 0;
  #dropped: QueuedJob[] = [];

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#waiting = new WaitingJobs(options.stateful ? 1 : options.maxInFlight);
    this.#owners = new Owners(this.#waiting.finals.root, this.#waiting.interims.root);
    this.#assignments = new Assignments(options.lostMs);
  }

  /** Finals that are queued or running and not cancelled. */
  get finalsPending(): number {
    return this.#finalsPending;
  }

  get finalsWaiting(): number {
    return this.#waiting.finalsCount;
  }

  get interimsWaiting(): number {
    return this.#waiting.interimsCount;
  }

  /** Streams with open lanes. */
  get openStreams(): number {
    return this.#owners.openStreams;
  }

  get idleWorkers(): number {
    return this.#assignments.idle;
  }

  get busyWorkers(): number {
    return this.#assignments.busy;
  }

  /** The call that the worker runs; undefined: none. */
  call(worker: number): RunningCall | undefined {
    return this.#assignments.call(worker);
  }

  openLane(owner: LaneOwner, options: unknown): SchedulerLane {
    return new SchedulerLane(this.#owners.openLane(owner), this.#laneCount++, options);
  }

  submit(lane: SchedulerLane, job: AudioJob, settle: Settle, now: number): void {
    const queued = new QueuedJob(lane, job, settle, now);
    if (lane.closed) this.#drop(queued, "closed");
    else if (job.kind === "final") this.#submitFinal(queued, now);
    else this.#submitInterim(queued, now);
  }

  /** Drops the waiting jobs of the lane and cancels the running ones, which `callEnded` returns as well. */
  closeLane(lane: SchedulerLane): void {
    if (lane.closed) return;
    lane.closed = true;
    for (const job of lane.running) job.cancelled = true;
    for (const job of [...this.#waiting.removeLane(lane), ...lane.running]) {
      if (job.kind === "final") this.#finalsPending--;
      this.#drop(job, "closed");
    }
    this.#owners.closeLane(lane.stream);
  }

  /** Returns the jobs that were dropped since the last call. A worker still reads the samples of a cancelled one. */
  takeDropped(): readonly QueuedJob[] {
    const dropped = this.#dropped;
    if (dropped.length > 0) this.#dropped = [];
    return dropped;
  }

  workerReady(worker: number): void {
    this.#forgetIdle(this.#assignments.workerReady(worker));
  }

  /** Ends the worker's call and returns its jobs. The worker is idle again. */
  callEnded(worker: number, now: number): readonly QueuedJob[] {
    const jobs = this.#assignments.endCall(worker);
    for (const job of jobs) this.#jobEnded(job, now);
    return jobs;
  }

  /**
   * Removes a worker and returns the jobs that end with it. With `mayRetry`, jobs that can be repeated are queued again
   * instead, each to be called alone, so that one that crashes its worker costs no other job its result.
   */
  workerEnded(worker: number, now: number, mayRetry: boolean): readonly QueuedJob[] {
    const ended: QueuedJob[] = [];
    for (const job of this.#assignments.workerEnded(worker, now)) {
      if (mayRetry && this.#isRepeatable(job)) {
        job.lane.jobEnded(job);
        this.#waiting.addAgain(job, now);
      } else {
        ended.push(job);
        this.#jobEnded(job, now);
      }
    }
    return ended;
  }

  /** Removes and returns all waiting jobs, for when there is no worker to run them. */
  takeWaiting(): readonly QueuedJob[] {
    this.#finalsPending -= this.#waiting.finalsCount;
    return this.#waiting.removeAll();
  }

  /** Starts the next call; undefined: there is none now. */
  next(now: number): RunningCall | undefined {
    this.#forgetIdle(this.#assignments.giveUpLost(now));
    const filter = this.#filter();
    const queue = this.#nextQueue(filter);
    if (queue === undefined || now < this.#holdUntilMs(queue, filter)) return undefined;
    const jobs: QueuedJob[] = [];
    while (jobs.length < this.#options.maxBatch) {
      const job = queue.next(filter);
      if (job === undefined || (job.calls > 0 && jobs.length > 0)) break;
      queue.take(filter);
      this.#jobStarted(job, now);
      jobs.push(job);
      if (job.calls > 1) break;
    }
    return this.#assignments.startCall(jobs, now, this.#options.timeoutMs);
  }

  /** Workers whose call has reached its deadline. */
  overdue(now: number): number[] {
    return this.#assignments.overdue(now);
  }

  /** The time at which `next` or `overdue` may have another result though nothing else happens; Infinity: never. */
  nextDueMs(): number {
    const dueMs = this.#assignments.nextDueMs();
    const filter = this.#filter();
    const queue = this.#nextQueue(filter);
    return queue === undefined ? dueMs : Math.min(dueMs, this.#holdUntilMs(queue, filter));
  }

  #submitFinal(job: QueuedJob, now: number): void {
    const interim = this.#waiting.removeInterim(job.lane);
    if (interim !== undefined) this.#drop(interim, "overtaken");
    this.#finalsPending++;
    this.#waiting.addFinal(job, now);
  }

  #submitInterim(job: QueuedJob, now: number): void {
    const { runningInterim, waitingInterim } = job.lane;
    if (runningInterim) return this.#drop(job, "stretched");
    if (waitingInterim !== undefined) this.#drop(waitingInterim, "replaced");
    this.#waiting.addInterim(job, now);
  }

  #drop(job: QueuedJob, reason: QueuedJob["dropReason"]): void {
    job.dropReason = reason;
    this.#dropped.push(job);
  }

  #jobStarted(job: QueuedJob, now: number): void {
    job.startedMs = now;
    job.calls++;
    job.lane.jobStarted(job);
  }

  #jobEnded(job: QueuedJob, now: number): void {
    const { lane } = job;
    lane.jobEnded(job);
    if (job.kind === "final") {
      if (!job.cancelled) this.#finalsPending--;
      this.#waiting.unblock(lane, now);
    }
    this.#owners.forgetIdle(lane.stream);
  }

  #isRepeatable(job: QueuedJob): boolean {
    return this.#options.idempotent && job.kind === "final" && job.calls === 1 && !job.cancelled;
  }

  #forgetIdle(streams: Iterable<StreamTurns>): void {
    for (const stream of streams) this.#owners.forgetIdle(stream);
  }

  #filter(): JobFilter | undefined {
    return this.#owners.openStreams > 1 ? this.#assignments.filter : undefined;
  }

  /** The queue from which the next call is filled; undefined: there is no job or no worker for it. */
  #nextQueue(filter: JobFilter | undefined): FairQueue<QueuedJob> | undefined {
    if (this.#assignments.idle === 0) return undefined;
    const { finals, interims } = this.#waiting;
    if (finals.next(filter) !== undefined) return finals;
    return this.#assignments.interimAllowed(this.#options.workers) && interims.next(filter) ? interims : undefined;
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
