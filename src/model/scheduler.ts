import { FairQueue, Group } from "../lib/fair-queue.ts";
import type { SessionTurns } from "./scheduled.ts";
import { SchedulerJob, SchedulerLane } from "./scheduled.ts";

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
}

/** Jobs of one kind that go to one worker together. */
export interface Assignment<P> {
  readonly worker: number;
  readonly jobs: SchedulerJob<P>[];
  readonly deadlineMs: number;
}

/** Decides which work runs next on which worker. Synchronous and without timers: time is passed in, decisions are asked for
 *  with `next` until it has none. No operation looks at all lanes or sessions.
 *
 *  Finals go before interims; among equals sessions take turns, then the lanes of a session. With N > 1 workers at most one
 *  less than are ready run interims, so that a final finds a worker that is not busy with one. Interims never share a call with
 *  finals, so they cannot lengthen one. A final that its own lane's `maxInFlight` holds back does not hold back others. */
export class Scheduler<P> {
  readonly #options: SchedulerOptions;
  readonly #laneLimit: number;
  readonly #sessions = new Map<object | number, SessionTurns<P>>();
  readonly #finals = new FairQueue<SchedulerJob<P>>();
  readonly #interims = new FairQueue<SchedulerJob<P>>();
  readonly #idle: number[] = [];
  readonly #calls = new Map<number, Assignment<P>>();
  #interimCalls = 0;
  #blocked = 0;
  #finalsPending = 0;
  #dropped: SchedulerJob<P>[] = [];

  constructor(options: SchedulerOptions) {
    this.#options = options;
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

  get sessions(): number {
    return this.#sessions.size;
  }

  get idleWorkers(): number {
    return this.#idle.length;
  }

  get busyWorkers(): number {
    return this.#calls.size;
  }

  openLane(session: object | number): SchedulerLane<P> {
    let turns = this.#sessions.get(session);
    if (!turns) this.#sessions.set(session, (turns = { finals: new Group(), interims: new Group(), lanes: 0 }));
    turns.lanes++;
    return new SchedulerLane(session, turns);
  }

  submit(lane: SchedulerLane<P>, kind: "final" | "interim", payload: P, nowMs: number): SchedulerJob<P> {
    const job = new SchedulerJob(lane, kind, payload, nowMs);
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
    const turns = this.#sessions.get(lane.session);
    if (turns && --turns.lanes === 0) this.#sessions.delete(lane.session);
  }

  /** The jobs that were dropped since the last time; a `cancelled` one is still being read by a worker. */
  takeDropped(): SchedulerJob<P>[] {
    if (this.#dropped.length === 0) return this.#dropped;
    const dropped = this.#dropped;
    this.#dropped = [];
    return dropped;
  }

  workerReady(worker: number): void {
    if (this.#calls.has(worker) || this.#idle.includes(worker)) throw new Error(`worker ${worker} is ready already`);
    this.#idle.push(worker);
  }

  /** The worker's call ended: gives its jobs and the worker is idle again. */
  callEnded(worker: number, nowMs: number): SchedulerJob<P>[] {
    const jobs = this.#endCall(worker);
    this.#idle.push(worker);
    for (const job of jobs) {
      if (job.kind === "final" && !job.cancelled) this.#finalsPending--;
      this.#leave(job, nowMs);
    }
    return jobs;
  }

  /** The worker is no more: gives the jobs that ended with it. Those that may be called again wait again, each to be called
   *  alone, so that one that kills its worker takes no other with it. */
  workerGone(worker: number, nowMs: number, mayRetry: boolean): SchedulerJob<P>[] {
    const idle = this.#idle.indexOf(worker);
    if (idle >= 0) this.#idle.splice(idle, 1);
    if (!this.#calls.has(worker)) return [];
    const ended: SchedulerJob<P>[] = [];
    for (const job of this.#endCall(worker)) {
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
  takeWaiting(): SchedulerJob<P>[] {
    const taken: SchedulerJob<P>[] = [];
    for (let job = this.#finals.next ?? this.#interims.next; job; job = this.#finals.next ?? this.#interims.next) {
      this.#dropWaiting(job.lane, taken);
    }
    return taken;
  }

  /** The next call to make, if there is one. */
  next(nowMs: number): Assignment<P> | undefined {
    if (this.#idle.length === 0) return undefined;
    const queue = this.#finals.size > 0 ? this.#finals : this.#interims;
    if (queue.size === 0 || (queue === this.#interims && !this.#interimAllowed())) return undefined;
    if (nowMs < this.#holdUntil(queue)) return undefined;
    const worker = this.#idle.pop()!;
    const jobs: SchedulerJob<P>[] = [];
    while (jobs.length < this.#options.maxBatch) {
      const job = queue.next;
      if (!job || (job.calls > 0 && jobs.length > 0)) break;
      queue.take();
      this.#start(job, nowMs);
      jobs.push(job);
      if (job.calls > 1) break;
    }
    if (queue === this.#interims) this.#interimCalls++;
    const assignment = { worker, jobs, deadlineMs: nowMs + this.#options.timeoutMs };
    this.#calls.set(worker, assignment);
    return assignment;
  }

  /** Workers whose call has reached its deadline. */
  overdue(nowMs: number): number[] {
    const workers: number[] = [];
    for (const call of this.#calls.values()) if (nowMs >= call.deadlineMs) workers.push(call.worker);
    return workers;
  }

  /** When `next` or `overdue` may have something new to say though nothing else happens; Infinity for never. */
  nextDueMs(): number {
    let due = Infinity;
    for (const call of this.#calls.values()) due = Math.min(due, call.deadlineMs);
    if (this.#idle.length === 0) return due;
    if (this.#finals.size > 0) return Math.min(due, this.#holdUntil(this.#finals));
    if (this.#interims.size > 0 && this.#interimAllowed()) return Math.min(due, this.#holdUntil(this.#interims));
    return due;
  }

  #interimAllowed(): boolean {
    const ready = this.#idle.length + this.#calls.size;
    return this.#interimCalls < (this.#options.workers === 1 ? 1 : ready - 1);
  }

  /** Until when the queue's next jobs are held for others to join them; -Infinity for not at all. */
  #holdUntil(queue: FairQueue<SchedulerJob<P>>): number {
    const { maxBatch, maxBatchWaitMs } = this.#options;
    if (queue.size >= maxBatch || queue.next!.calls > 0) return -Infinity;
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

  #start(job: SchedulerJob<P>, nowMs: number): void {
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

  #endCall(worker: number): SchedulerJob<P>[] {
    const call = this.#calls.get(worker);
    if (!call) throw new Error(`worker ${worker} has no call`);
    this.#calls.delete(worker);
    if (call.jobs[0]?.kind === "interim") this.#interimCalls--;
    return call.jobs;
  }

  #leave(job: SchedulerJob<P>, nowMs: number): void {
    const { lane } = job;
    lane.running.delete(job);
    if (job.kind === "interim") lane.runningInterim = false;
    else {
      lane.runningFinals--;
      this.#offer(lane, nowMs);
    }
  }

  #dropWaiting(lane: SchedulerLane<P>, into: SchedulerJob<P>[]): void {
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
