import { FairQueue, Group } from "../lib/fair-queue.ts";
import type { Admission, Assignment } from "./assignments.ts";
import { Assignments } from "./assignments.ts";
import type { SessionTurns } from "./queued-job.ts";
import { QueuedJob, SchedulerLane } from "./queued-job.ts";

export interface SchedulerOptions {
  readonly workers: number;
  /** Finals of one lane that may run at once; a stateful lane runs one. */
  readonly maxInFlight: number;
  readonly stateful: boolean;
  /** Jobs in one call, 1 or more; 1 for stateful models. */
  readonly maxBatch: number;
  /** How long a job that could run is held for others to join it. */
  readonly maxBatchWaitMs: number;
  /** Finals are called once more when their worker dies. */
  readonly idempotent: boolean;
  /** Longest time for one call. */
  readonly timeoutMs: number;
  /** How long a worker that went down counts as occupied by those whose call it was, if it is not back. */
  readonly absenceMs: number;
}

/** Decides which work runs next on which worker. Synchronous and without timers: time is passed in, decisions are asked for
 *  with `next` until it has none. No operation looks at all lanes or sessions: picking passes over at most as many sessions as
 *  one call has pieces.
 *
 *  Finals go before interims; among equals sessions take turns, then the lanes of a session. With N > 1 workers at most one
 *  less than are ready run interims, so that a final finds a worker that is not busy with one. Interims never share a call with
 *  finals, so they cannot lengthen one. A final that its own lane's `maxInFlight` holds back does not hold back others.
 *
 *  A call cannot be interrupted, so while several sessions have lanes open none of them occupies all workers: a session with a
 *  piece in every call under way does not get the last idle worker, and what others have waiting goes there instead. A worker
 *  that a session's call took down stays occupied by it until it is back. */
export class Scheduler<P> {
  readonly #options: SchedulerOptions;
  readonly #laneLimit: number;
  readonly #sessions = new Map<object | number, SessionTurns<P>>();
  readonly #finals = new FairQueue<QueuedJob<P>>();
  readonly #interims = new FairQueue<QueuedJob<P>>();
  readonly #assignments: Assignments<P>;
  #openSessions = 0;
  #blocked = 0;
  #finalsPending = 0;
  #dropped: QueuedJob<P>[] = [];

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#assignments = new Assignments(options.absenceMs);
    this.#laneLimit = options.stateful ? 1 : options.maxInFlight;
  }

  /** Finals queued or running that somebody waits for. */
  get finalsPending(): number {
    return this.#finalsPending;
  }

  get finalsWaiting(): number {
    return this.#finals.size + this.#blocked;
  }

  get interimsWaiting(): number {
    return this.#interims.size;
  }

  /** Sessions with lanes open. */
  get sessions(): number {
    return this.#openSessions;
  }

  get idleWorkers(): number {
    return this.#assignments.idle;
  }

  get busyWorkers(): number {
    return this.#assignments.busy;
  }

  openLane(session: object | number): SchedulerLane<P> {
    let turns = this.#sessions.get(session);
    if (!turns) {
      turns = { finals: new Group(), interims: new Group(), session, lanes: 0, workers: 0 };
      this.#sessions.set(session, turns);
    }
    if (turns.lanes++ === 0) this.#openSessions++;
    return new SchedulerLane(turns);
  }

  submit(lane: SchedulerLane<P>, kind: "final" | "interim", payload: P, nowMs: number): QueuedJob<P> {
    const job = new QueuedJob(lane, kind, payload, nowMs);
    if (lane.closed || (kind === "interim" && lane.runningInterim)) {
      if (!lane.closed) job.drop = "stretched";
      this.#dropped.push(job);
      return job;
    }
    const replaced = lane.waitingInterim;
    if (replaced) {
      replaced.drop = kind === "interim" ? "replaced" : "overtaken";
      this.#dropped.push(replaced);
    }
    if (kind === "interim") {
      job.offeredMs = replaced?.offeredMs ?? nowMs;
      if (replaced) this.#interims.replace(replaced.entry, job.entry);
      else this.#interims.add(job.entry);
      lane.waitingInterim = job;
    } else {
      if (replaced) this.#interims.remove(replaced.entry);
      lane.waitingInterim = undefined;
      this.#finalsPending++;
      this.#blocked++;
      lane.blocked.append(job.blockedLink);
      this.#offer(lane, nowMs);
    }
    return job;
  }

  /** Drops what the lane has waiting and cancels what it has running; the latter also comes back when its call ends. */
  closeLane(lane: SchedulerLane<P>): void {
    if (lane.closed) return;
    lane.closed = true;
    this.#dropWaiting(lane, this.#dropped);
    for (const job of lane.running) {
      job.cancelled = true;
      if (job.kind === "final") this.#finalsPending--;
      this.#dropped.push(job);
    }
    if (--lane.turns.lanes === 0) this.#openSessions--;
    this.#forgetIdle(lane.turns);
  }

  /** The jobs that were dropped since the last time; a `cancelled` one is still being read by a worker. */
  takeDropped(): QueuedJob<P>[] {
    if (this.#dropped.length === 0) return this.#dropped;
    const dropped = this.#dropped;
    this.#dropped = [];
    return dropped;
  }

  workerReady(worker: number): void {
    for (const turns of this.#assignments.workerReady(worker)) this.#forgetIdle(turns);
  }

  /** The worker's call ended: gives its jobs and the worker is idle again. */
  callEnded(worker: number, nowMs: number): QueuedJob<P>[] {
    const jobs = this.#assignments.end(worker);
    for (const job of jobs) {
      if (job.kind === "final" && !job.cancelled) this.#finalsPending--;
      this.#leave(job, nowMs);
    }
    return jobs;
  }

  /** The worker is no more: gives the jobs that ended with it. Those that may be called again wait again, each to be called
   *  alone, so that one that kills its worker takes no other with it. */
  workerGone(worker: number, nowMs: number, mayRetry: boolean): QueuedJob<P>[] {
    const ended: QueuedJob<P>[] = [];
    for (const job of this.#assignments.workerGone(worker, nowMs)) {
      const retry = mayRetry && this.#options.idempotent && job.kind === "final" && job.calls === 1 && !job.cancelled;
      if (retry) {
        job.lane.running.delete(job);
        job.lane.runningFinals--;
        job.offeredMs = nowMs;
        this.#finals.addFirst(job.entry);
      } else {
        if (job.kind === "final" && !job.cancelled) this.#finalsPending--;
        ended.push(job);
        this.#leave(job, nowMs);
      }
    }
    return ended;
  }

  /** Takes everything that waits out of the queues, for when there is nobody to run it. */
  takeWaiting(): QueuedJob<P>[] {
    const taken: QueuedJob<P>[] = [];
    const next = (): QueuedJob<P> | undefined => this.#finals.next() ?? this.#interims.next();
    for (let job = next(); job; job = next()) this.#dropWaiting(job.lane, taken);
    return taken;
  }

  /** The next call to make, if there is one. */
  next(nowMs: number): Assignment<P> | undefined {
    for (const turns of this.#assignments.forgiveAbsent(nowMs)) this.#forgetIdle(turns);
    const admits = this.#admission();
    const queue = this.#choice(admits);
    if (!queue || nowMs < this.#holdUntil(queue, admits)) return undefined;
    const jobs: QueuedJob<P>[] = [];
    while (jobs.length < this.#options.maxBatch) {
      const job = queue.next(admits);
      if (!job || (job.calls > 0 && jobs.length > 0)) break;
      queue.take(admits);
      this.#start(job, nowMs);
      jobs.push(job);
      if (job.calls > 1) break;
    }
    return this.#assignments.begin(jobs, nowMs + this.#options.timeoutMs);
  }

  /** Workers whose call has reached its deadline. */
  overdue(nowMs: number): number[] {
    return this.#assignments.overdue(nowMs);
  }

  /** When `next` or `overdue` may have something new to say though nothing else happens; Infinity for never. */
  nextDueMs(): number {
    const dueMs = this.#assignments.dueMs();
    const admits = this.#admission();
    const queue = this.#choice(admits);
    return queue ? Math.min(dueMs, this.#holdUntil(queue, admits)) : dueMs;
  }

  /** Whose work may start now; undefined for everybody's. */
  #admission(): Admission<P> | undefined {
    return this.#openSessions > 1 ? this.#assignments.admission : undefined;
  }

  /** The queue that the next call is filled from, if there is a worker for it. */
  #choice(admits: Admission<P> | undefined): FairQueue<QueuedJob<P>> | undefined {
    if (this.#assignments.idle === 0) return undefined;
    if (this.#finals.next(admits)) return this.#finals;
    return this.#assignments.interimAllowed(this.#options.workers) && this.#interims.next(admits)
      ? this.#interims
      : undefined;
  }

  /** Until when the queue's next jobs are held for others to join them; -Infinity for not at all. What is not admitted counts as
   *  well: at worst a batch goes with fewer than it could have waited for. */
  #holdUntil(queue: FairQueue<QueuedJob<P>>, admits: Admission<P> | undefined): number {
    const { maxBatch, maxBatchWaitMs } = this.#options;
    if (queue.size >= maxBatch || queue.next(admits)!.calls > 0) return -Infinity;
    return queue.oldest!.offeredMs + maxBatchWaitMs;
  }

  #offer(lane: SchedulerLane<P>, nowMs: number): void {
    while (lane.blocked.size > 0 && lane.finals.entries.size + lane.runningFinals < this.#laneLimit) {
      const job = lane.blocked.shift()!;
      this.#blocked--;
      job.offeredMs = nowMs;
      this.#finals.add(job.entry);
    }
  }

  #start(job: QueuedJob<P>, nowMs: number): void {
    const { lane } = job;
    job.startedMs = nowMs;
    job.calls++;
    lane.running.add(job);
    if (job.kind === "final") lane.runningFinals++;
    else {
      lane.waitingInterim = undefined;
      lane.runningInterim = true;
    }
  }

  /** A session is known until it occupies no worker, should it open lanes again. */
  #forgetIdle({ session, lanes, workers }: SessionTurns<P>): void {
    if (lanes === 0 && workers === 0) this.#sessions.delete(session);
  }

  #leave(job: QueuedJob<P>, nowMs: number): void {
    const { lane } = job;
    lane.running.delete(job);
    if (job.kind === "interim") lane.runningInterim = false;
    else {
      lane.runningFinals--;
      this.#offer(lane, nowMs);
    }
    this.#forgetIdle(lane.turns);
  }

  #dropWaiting(lane: SchedulerLane<P>, into: QueuedJob<P>[]): void {
    const before = into.length;
    for (let entry = lane.finals.entries.first; entry; entry = lane.finals.entries.first) {
      this.#finals.remove(entry);
      into.push(entry.item);
    }
    for (let job = lane.blocked.shift(); job; job = lane.blocked.shift()) {
      this.#blocked--;
      into.push(job);
    }
    this.#finalsPending -= into.length - before;
    if (lane.waitingInterim) {
      this.#interims.remove(lane.waitingInterim.entry);
      into.push(lane.waitingInterim);
      lane.waitingInterim = undefined;
    }
  }
}
