import type { QueuedJob, StreamTurns } from "./queued-job.ts";

/** A call that a worker runs: jobs of one kind that went to it together. */
export interface RunningCall {
  /** Unique in its pool. */
  readonly number: number;
  readonly worker: number;
  readonly jobs: readonly QueuedJob[];
  readonly startedMs: number;
  readonly deadlineMs: number;
}

/** Returns whether the job's stream may have another worker. */
export type JobFilter = (job: QueuedJob) => boolean;

/** A worker that ended during a call. */
interface LostWorker {
  readonly worker: number;
  readonly streams: ReadonlySet<StreamTurns>;
  readonly untilMs: number;
}

/**
 * The state of every worker: idle, running a call, or lost with one. A lost worker stays occupied by the streams of its
 * call until it is back, so that crashes caused by one stream do not take worker after worker from the others.
 */
export class Assignments {
  readonly #idle: number[] = [];
  readonly #calls = new Map<number, RunningCall>();
  readonly #lost = new Map<number, LostWorker>();
  readonly #lostMs: number;
  #callCount = 0;
  #interimCalls = 0;

  /** @param lostMs time after which a lost worker no longer counts, because it may never be back */
  constructor(lostMs: number) {
    this.#lostMs = lostMs;
  }

  get idle(): number {
    return this.#idle.length;
  }

  get busy(): number {
    return this.#calls.size;
  }

  /** The call that the worker runs; undefined: none. */
  call(worker: number): RunningCall | undefined {
    return this.#calls.get(worker);
  }

  /** Adds an idle worker. Returns the streams that occupied it while it was lost. */
  workerReady(worker: number): Iterable<StreamTurns> {
    if (this.#calls.has(worker) || this.#idle.includes(worker)) throw new Error(`worker ${worker} is ready already`);
    this.#idle.push(worker);
    return this.#release(this.#lost.get(worker));
  }

  /** Removes a worker. Returns the jobs of its call. */
  workerEnded(worker: number, now: number): readonly QueuedJob[] {
    const idle = this.#idle.indexOf(worker);
    if (idle >= 0) this.#idle.splice(idle, 1);
    if (!this.#calls.has(worker)) return [];
    const jobs = this.#endCall(worker);
    const streams = streamsOf(jobs);
    for (const stream of streams) stream.workers++;
    this.#lost.set(worker, { worker, streams, untilMs: now + this.#lostMs });
    return jobs;
  }

  /** Gives up lost workers whose time is over. Returns the streams that occupied them. */
  giveUpLost(now: number): StreamTurns[] {
    const released: StreamTurns[] = [];
    for (const lost of this.#lost.values()) if (now >= lost.untilMs) released.push(...this.#release(lost));
    return released;
  }

  /** Starts a call on an idle worker. Throws when no worker is idle. */
  startCall(jobs: readonly QueuedJob[], now: number, timeoutMs: number): RunningCall {
    const worker = this.#idle.pop();
    if (worker === undefined) throw new Error("no worker is idle");
    const call = { number: this.#callCount++, worker, jobs, startedMs: now, deadlineMs: now + timeoutMs };
    this.#calls.set(worker, call);
    if (jobs[0]?.kind === "interim") this.#interimCalls++;
    for (const stream of streamsOf(jobs)) stream.workers++;
    return call;
  }

  /** Ends the worker's call. Returns its jobs. */
  endCall(worker: number): readonly QueuedJob[] {
    const jobs = this.#endCall(worker);
    this.#idle.push(worker);
    return jobs;
  }

  /**
   * The filter for the next call while several streams have lanes open; undefined: all jobs may start. It keeps the
   * last idle worker from streams that occupy every other worker. There are at most as many of those as one call has
   * jobs.
   */
  get filter(): JobFilter | undefined {
    const others = this.#calls.size + this.#lost.size;
    if (this.#idle.length !== 1 || others === 0) return undefined;
    return ({ lane }) => lane.stream.workers < others;
  }

  /** Returns whether a call of interims may start. One of several workers is kept free of them. */
  interimAllowed(workers: number): boolean {
    return this.#interimCalls < (workers === 1 ? 1 : this.#idle.length + this.#calls.size - 1);
  }

  /** Workers whose call has reached its deadline. */
  overdue(now: number): number[] {
    const workers: number[] = [];
    for (const call of this.#calls.values()) if (now >= call.deadlineMs) workers.push(call.worker);
    return workers;
  }

  /** The next time for `overdue` or `giveUpLost`; Infinity: none. */
  nextDueMs(): number {
    let dueMs = Infinity;
    for (const { deadlineMs } of this.#calls.values()) dueMs = Math.min(dueMs, deadlineMs);
    for (const { untilMs } of this.#lost.values()) dueMs = Math.min(dueMs, untilMs);
    return dueMs;
  }

  #release(lost: LostWorker | undefined): Iterable<StreamTurns> {
    if (lost === undefined) return [];
    this.#lost.delete(lost.worker);
    for (const stream of lost.streams) stream.workers--;
    return lost.streams;
  }

  #endCall(worker: number): readonly QueuedJob[] {
    const call = this.#calls.get(worker);
    if (call === undefined) throw new Error(`worker ${worker} has no call`);
    this.#calls.delete(worker);
    if (call.jobs[0]?.kind === "interim") this.#interimCalls--;
    for (const stream of streamsOf(call.jobs)) stream.workers--;
    return call.jobs;
  }
}

/** The streams of the jobs, each once. */
function streamsOf(jobs: readonly QueuedJob[]): Set<StreamTurns> {
  return new Set(jobs.map(({ lane }) => lane.stream));
}
