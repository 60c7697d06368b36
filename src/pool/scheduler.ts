import type { ModelInfo } from "../model/model-info.ts";
import { Assignments } from "./assignments.ts";
import type { AudioJob, LaneOwner, Settle } from "./lane.ts";
import { LookAhead } from "./look-ahead.ts";
import { Owners } from "./owners.ts";
import type { AssignedCall, EndedCalls, StreamTurns } from "./queued-job.ts";
import { QueuedJob, SchedulerLane } from "./queued-job.ts";
import { Selection } from "./selection.ts";
import { WaitingJobs } from "./waiting-jobs.ts";
import { type CallQueues, Withdrawals } from "./withdrawals.ts";

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
 * asks for calls with `review` and `next` until there are none.
 *
 * Order: finals before interims; among equals callers take turns, then the streams of a caller, then the lanes of a
 * stream. With N > 1 workers, at most N - 1 of those that are ready run interims, so that a final finds a worker. A
 * call has either finals or interims, so that interims do not delay finals.
 *
 * Reserve: a call cannot be interrupted. While several streams have lanes open, none of them occupies all workers: a
 * stream with a job in every running call does not get the last idle worker. Other streams' jobs do. The rule counts
 * streams, not callers, because many people may share one caller (a proxy, or several clients on one host).
 *
 * Calls ahead: a busy worker gets finals to take when it has ended its call, so that it does not wait for the main
 * thread. `Withdrawals` takes them back when another decision has become better.
 *
 * No operation looks at all lanes or streams. Picking a job passes over at most as many streams as a call has jobs.
 */
export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #waiting: WaitingJobs;
  readonly #owners: Owners;
  readonly #assignments: Assignments;
  readonly #lookAhead: LookAhead;
  readonly #selection: Selection;
  readonly #withdrawals: Withdrawals;
  #laneCount = 0;
  #finalsPending = 0;
  #dropped: QueuedJob[] = [];

  constructor(options: SchedulerOptions, queues: CallQueues) {
    this.#options = options;
    this.#waiting = new WaitingJobs(options.stateful ? 1 : options.maxInFlight);
    this.#owners = new Owners(this.#waiting.finals.root, this.#waiting.interims.root);
    this.#assignments = new Assignments(options.lostMs);
    this.#lookAhead = new LookAhead(queues.ahead);
    this.#selection = new Selection(this.#waiting, this.#owners, this.#assignments, this.#lookAhead, options);
    this.#withdrawals = new Withdrawals(this.#assignments, this.#waiting, this.#lookAhead, options.maxBatch, queues);
  }

  /** Finals that are queued or running and not cancelled. */
  get finalsPending(): number {
    return this.#finalsPending;
  }

  /** Finals that no worker runs, those of calls ahead among them. */
  get finalsWaiting(): number {
    return this.#waiting.finalsCount + this.#assignments.aheadJobs;
  }

  get interimsWaiting(): number {
    return this.#waiting.interimsCount;
  }

  get openStreams(): number {
    return this.#owners.openStreams;
  }

  get idleWorkers(): number {
    return this.#assignments.idle;
  }

  get busyWorkers(): number {
    return this.#assignments.busy;
  }

  /** The call that the worker runs or takes first; undefined: none. */
  call(worker: number): AssignedCall | undefined {
    return this.#assignments.callsOf(worker)?.first;
  }

  /** @param number unique in the pool; by default, lanes are counted here */
  openLane(owner: LaneOwner, options: unknown, number = this.#laneCount++): SchedulerLane {
    const alone = this.#owners.openStreams === 1;
    const turns = this.#owners.openLane(owner);
    if (alone && this.#owners.openStreams > 1) this.#withdrawals.reserveChanged();
    return new SchedulerLane(turns, number, options);
  }

  submit(lane: SchedulerLane, job: AudioJob, settle: Settle, now: number): void {
    const queued = new QueuedJob(lane, job, settle, now);
    if (lane.closed) this.#drop(queued, "closed");
    else if (job.kind === "final") this.#submitFinal(queued, now);
    else this.#submitInterim(queued, now);
  }

  /** Drops the waiting jobs of the lane and cancels the running ones, which end with their calls nevertheless. */
  closeLane(lane: SchedulerLane): void {
    if (lane.closed) return;
    for (const job of lane.running) this.#withdrawals.withdrawJob(job);
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

  /**
   * Ends a call of the worker and returns it; undefined: it has no such call.
   * @param inferMs time in the model
   */
  callEnded(worker: number, number: number, inferMs: number, now: number): AssignedCall | undefined {
    const call = this.#assignments.callsOf(worker)?.find(number);
    if (call === undefined) return undefined;
    this.#lookAhead.add(inferMs);
    this.#assignments.remove(call, now, inferMs);
    for (const job of call.jobs) this.#jobEnded(job, call, now);
    return call;
  }

  /** Takes back the calls that the worker has not taken, for when it is not to have any more. */
  withdrawFrom(worker: number): void {
    this.#withdrawals.withdrawFrom(worker, 0);
  }

  /**
   * Removes a worker and returns the calls that end with it. Those that it had not taken wait again. With `mayRetry`,
   * jobs that can be repeated are queued again instead, each to be called alone, so that one that crashes its worker
   * costs no other job its result: they are not among the jobs that are returned.
   */
  workerEnded(worker: number, now: number, mayRetry: boolean): EndedCalls {
    this.#withdrawals.withdrawFrom(worker, 0);
    this.#withdrawals.reserveChanged();
    const calls = this.#assignments.workerEnded(worker, now);
    const ended: QueuedJob[] = [];
    for (const call of calls) {
      for (const job of call.jobs) {
        if (mayRetry && this.#isRepeatable(job)) {
          job.lane.jobEnded(job);
          this.#waiting.addAgain(job, now);
        } else {
          ended.push(job);
          this.#jobEnded(job, call, now);
        }
      }
    }
    return { calls, jobs: ended };
  }

  /** Removes and returns all waiting jobs, for when there is no worker to run them. */
  takeWaiting(): readonly QueuedJob[] {
    this.#finalsPending -= this.#waiting.finalsCount;
    return this.#waiting.removeAll();
  }

  /** Takes back calls for which there is a better decision now. To be called before `next`. */
  review(now: number): void {
    const released = this.#assignments.giveUpLost(now);
    if (released.length > 0) this.#withdrawals.reserveChanged();
    this.#forgetIdle(released);
    this.#withdrawals.review(now, this.#selection.filter !== undefined);
  }

  /** Assigns the next call to a worker; undefined: there is none now. */
  next(now: number): AssignedCall | undefined {
    let call = this.#selection.next(now);
    while (call === undefined && this.#withdrawals.shareWithIdle(this.#selection.filter !== undefined)) {
      call = this.#selection.next(now);
    }
    return call;
  }

  /** Workers whose call has reached its deadline. */
  overdue(now: number): number[] {
    return this.#assignments.overdue(now);
  }

  /** The time at which `review`, `next` or `overdue` may have another result though nothing else happens. */
  nextDueMs(now: number): number {
    return Math.min(this.#assignments.nextDueMs(), this.#selection.nextDueMs(now));
  }

  #submitFinal(job: QueuedJob, now: number): void {
    // An interim that its worker has not taken waits again, and is dropped.
    if (job.lane.runningInterim) this.#withdrawals.withdrawInterim(job.lane);
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

  #jobEnded(job: QueuedJob, call: AssignedCall, now: number): void {
    const { lane } = job;
    job.startedMs = call.startedMs ?? call.assignedMs;
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
}
