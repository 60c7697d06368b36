import { Assignments } from "./assignments.ts";
import type { AudioJob, LaneOwner, Settle } from "./lane.ts";
import { LookAhead } from "./look-ahead.ts";
import { OpenJobs } from "./open-jobs.ts";
import { Owners } from "./owners.ts";
import type { AssignedCall, EndedCalls, StreamTurns } from "./queued-job.ts";
import { QueuedJob, SchedulerLane } from "./queued-job.ts";
import type { SchedulerOptions } from "./scheduler-options.ts";
import { Selection } from "./selection.ts";
import { WaitingJobs } from "./waiting-jobs.ts";
import { type CallQueues, Withdrawals } from "./withdrawals.ts";

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
 * Concurrency: a worker that takes C calls at once counts as C workers in these rules: `Assignments` calls them places.
 * Such a worker has no calls ahead, because the others run while the main thread is busy. A call that takes too long
 * keeps its place until it ends. A call whose results nobody wants any more is aborted.
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
  readonly #open: OpenJobs;
  #laneCount = 0;

  constructor(options: SchedulerOptions, queues: CallQueues) {
    const { workers, concurrency = 1 } = options;
    this.#options = options;
    this.#open = new OpenJobs((call) => queues.abort(call));
    this.#waiting = new WaitingJobs(options.stateful ? 1 : options.maxInFlight);
    this.#owners = new Owners(this.#waiting.finals.root, this.#waiting.interims.root);
    this.#assignments = new Assignments(options.lostMs, concurrency);
    this.#lookAhead = new LookAhead(options.concurrency === undefined ? queues.ahead : 0);
    this.#selection = new Selection(this.#waiting, this.#owners, this.#assignments, this.#lookAhead, {
      ...options,
      places: workers * concurrency,
    });
    const parts = [this.#assignments, this.#waiting, this.#lookAhead] as const;
    this.#withdrawals = new Withdrawals(...parts, options.maxBatch, queues, (job, call) =>
      this.#jobEnded(job, call, call.assignedMs),
    );
  }

  /** Finals that are queued or running and not cancelled. */
  get finalsPending(): number {
    return this.#open.finals;
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

  /** Calls that workers make, without those ahead. */
  get runningCalls(): number {
    return this.#assignments.running;
  }

  get busyWorkers(): number {
    return this.#assignments.busy;
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
    if (lane.closed) this.#open.drop(queued, "closed");
    else if (job.kind === "final") this.#submitFinal(queued, now);
    else this.#submitInterim(queued, now);
  }

  /** Drops the waiting jobs of the lane and cancels the running ones, which end with their calls nevertheless. */
  closeLane(lane: SchedulerLane): void {
    if (lane.closed) return;
    for (const job of lane.running) this.#withdrawals.withdrawJob(job);
    lane.closed = true;
    for (const job of this.#waiting.removeLane(lane)) this.#open.close(job);
    for (const job of lane.running) this.#open.cancel(job, "closed");
    this.#owners.closeLane(lane.stream);
  }

  /** Returns the jobs that were dropped since the last call. A worker still reads the samples of a cancelled one. */
  takeDropped(): readonly QueuedJob[] {
    return this.#open.takeDropped();
  }

  workerReady(worker: number): void {
    this.#forgetIdle(this.#assignments.workerReady(worker));
  }

  /**
   * Ends a call of the worker and returns it; undefined: it has no such call.
   * @param inferMs time in the model
   */
  callEnded(worker: number, number: number, inferMs: number, now: number): AssignedCall | undefined {
    const call = this.#assignments.find(worker, number);
    if (call === undefined) return undefined;
    this.#lookAhead.add(inferMs);
    this.#assignments.remove(call, now, inferMs);
    for (const job of call.jobs) this.#jobEnded(job, call, now);
    return call;
  }

  /** Takes back the calls that the worker has not taken, for when it is not to have any more. */
  withdrawFrom(worker: number): void {
    this.#withdrawals.withdrawAll(worker);
  }

  /**
   * Gives up a call that has taken too long, and aborts it. It keeps its place until it ends, or becomes overdue again.
   * @param untilMs its new deadline
   * @returns its jobs that are to be settled
   */
  expire(call: AssignedCall, untilMs: number): readonly QueuedJob[] {
    return this.#open.expire(call, untilMs);
  }

  /**
   * Removes a worker and returns the calls that end with it. Those that it had not taken wait again. With `mayRetry`,
   * jobs that can be repeated are queued again instead, each to be called alone, so that one that crashes its worker
   * costs no other job its result: they are not among the jobs that are returned.
   */
  workerEnded(worker: number, now: number, mayRetry: boolean): EndedCalls {
    this.#withdrawals.withdrawAll(worker);
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
    this.#open.finalsRemoved(this.#waiting.finalsCount);
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

  /** Calls that have reached their deadline. */
  overdue(now: number): readonly AssignedCall[] {
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
    if (interim !== undefined) this.#open.drop(interim, "overtaken");
    const canAbort = this.#options.concurrency !== undefined;
    if (canAbort)
      for (const each of job.lane.running) if (each.kind === "interim") this.#open.cancel(each, "overtaken");
    this.#open.finalSubmitted();
    this.#waiting.addFinal(job, now);
  }

  #submitInterim(job: QueuedJob, now: number): void {
    const { runningInterim, waitingInterim } = job.lane;
    if (runningInterim) return this.#open.drop(job, "stretched");
    if (waitingInterim !== undefined) this.#open.drop(waitingInterim, "replaced");
    this.#waiting.addInterim(job, now);
  }

  #jobEnded(job: QueuedJob, call: AssignedCall, now: number): void {
    const { lane } = job;
    job.startedMs = call.startedMs ?? call.assignedMs;
    lane.jobEnded(job);
    this.#open.ended(job);
    if (job.kind === "final") this.#waiting.unblock(lane, now);
    this.#owners.forgetIdle(lane.stream);
  }

  #isRepeatable(job: QueuedJob): boolean {
    return this.#options.idempotent && job.kind === "final" && job.calls === 1 && !job.cancelled;
  }

  #forgetIdle(streams: Iterable<StreamTurns>): void {
    for (const stream of streams) this.#owners.forgetIdle(stream);
  }
}
