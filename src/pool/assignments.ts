import type { AssignedCall, QueuedJob, StreamTurns } from "./queued-job.ts";
import { WorkerCalls } from "./worker-calls.ts";

/** Returns whether the job's stream may have another worker. */
export type JobFilter = (job: QueuedJob) => boolean;

/** A worker that ended during a call. */
interface LostWorker {
  readonly worker: number;
  readonly streams: ReadonlySet<StreamTurns>;
  readonly untilMs: number;
}

/**
 * The state of every worker: idle, busy with calls, or lost with one. A lost worker stays occupied by the streams of its
 * call until it is back, so that crashes caused by one stream do not take worker after worker from the others.
 */
export class Assignments {
  readonly #idle: number[] = [];
  /** Workers with calls. */
  readonly #busy = new Map<number, WorkerCalls>();
  readonly #lost = new Map<number, LostWorker>();
  readonly #lostMs: number;
  #callCount = 0;
  #interimCalls = 0;
  #aheadCalls = 0;
  #aheadJobs = 0;

  /** @param lostMs time after which a lost worker no longer counts, because it may never be back */
  constructor(lostMs: number) {
    this.#lostMs = lostMs;
  }

  get idle(): number {
    return this.#idle.length;
  }

  get busy(): number {
    return this.#busy.size;
  }

  /** Workers that are idle, busy or lost. */
  get workers(): number {
    return this.#idle.length + this.#busy.size + this.#lost.size;
  }

  /** Calls, and their jobs, that are behind the first one of their worker. */
  get aheadCalls(): number {
    return this.#aheadCalls;
  }

  get aheadJobs(): number {
    return this.#aheadJobs;
  }

  /** The calls of the worker; undefined: it has none. */
  callsOf(worker: number): WorkerCalls | undefined {
    return this.#busy.get(worker);
  }

  /** The calls of every worker that has any. */
  get busyWorkers(): Iterable<WorkerCalls> {
    return this.#busy.values();
  }

  /** Adds an idle worker. Returns the streams that occupied it while it was lost. */
  workerReady(worker: number): Iterable<StreamTurns> {
    if (this.#busy.has(worker) || this.#idle.includes(worker)) throw new Error(`worker ${worker} is ready already`);
    this.#idle.push(worker);
    return this.#release(this.#lost.get(worker));
  }

  /** Removes a worker. Returns its calls, which were all taken. */
  workerEnded(worker: number, now: number): readonly AssignedCall[] {
    const idle = this.#idle.indexOf(worker);
    if (idle >= 0) this.#idle.splice(idle, 1);
    const calls = this.#busy.get(worker);
    if (calls === undefined) return [];
    const ended = calls.all;
    const streams = new Set(ended.flatMap(({ jobs }) => jobs.map(({ lane }) => lane.stream)));
    for (const call of ended) this.#remove(calls, call, now);
    this.#idle.splice(this.#idle.indexOf(worker), 1);
    for (const stream of streams) stream.workers++;
    this.#lost.set(worker, { worker, streams, untilMs: now + this.#lostMs });
    return ended;
  }

  /** Gives up lost workers whose time is over. Returns the streams that occupied them. */
  giveUpLost(now: number): StreamTurns[] {
    const released: StreamTurns[] = [];
    for (const lost of this.#lost.values()) if (now >= lost.untilMs) released.push(...this.#release(lost));
    return released;
  }

  /** Gives a call to an idle worker, or to the one that is given. Throws when no worker is idle. */
  assign(jobs: readonly QueuedJob[], now: number, timeoutMs: number, worker = this.#idle.pop()): AssignedCall {
    if (worker === undefined) throw new Error("no worker is idle");
    let calls = this.#busy.get(worker);
    if (calls === undefined) this.#busy.set(worker, (calls = new WorkerCalls(worker, timeoutMs)));
    const call = calls.add(this.#callCount++, jobs, now);
    if (calls.count > 1) this.#countAhead(call, 1);
    if (call.kind === "interim") this.#interimCalls++;
    return call;
  }

  /**
   * Removes a call, which has ended or was withdrawn. Without others, its worker is idle.
   * @param inferMs time in the model; undefined: not known
   */
  remove(call: AssignedCall, now: number, inferMs?: number): void {
    const calls = this.#busy.get(call.worker);
    if (calls === undefined) throw new Error(`worker ${call.worker} has no call`);
    this.#remove(calls, call, now, inferMs);
  }

  /**
   * The filter for the next call on an idle worker while several streams have lanes open; undefined: all jobs may start.
   * It keeps the last idle worker from streams that occupy every other worker. There are at most as many of those as
   * the calls of one worker have jobs.
   */
  get filter(): JobFilter | undefined {
    const others = this.#busy.size + this.#lost.size;
    if (this.#idle.length !== 1 || others === 0) return undefined;
    return ({ lane }) => lane.stream.workers < others;
  }

  /** The same for a call behind those of a worker. */
  filterBehind(calls: WorkerCalls): JobFilter | undefined {
    const others = this.workers - 1;
    if (others === 0) return undefined;
    return ({ lane }) => lane.stream.workers - Number(calls.has(lane.stream)) < others;
  }

  /** Returns whether a call of interims may start. One of several workers is kept free of them. */
  interimAllowed(workers: number): boolean {
    return this.#interimCalls < (workers === 1 ? 1 : this.#idle.length + this.#busy.size - 1);
  }

  /** Workers whose first call has reached its deadline. */
  overdue(now: number): number[] {
    const workers: number[] = [];
    for (const { worker, first } of this.#busy.values()) if (now >= first.deadlineMs) workers.push(worker);
    return workers;
  }

  /** The next time for `overdue` or `giveUpLost`; Infinity: none. */
  nextDueMs(): number {
    let dueMs = Infinity;
    for (const { first } of this.#busy.values()) dueMs = Math.min(dueMs, first.deadlineMs);
    for (const { untilMs } of this.#lost.values()) dueMs = Math.min(dueMs, untilMs);
    return dueMs;
  }

  #release(lost: LostWorker | undefined): Iterable<StreamTurns> {
    if (lost === undefined) return [];
    this.#lost.delete(lost.worker);
    for (const stream of lost.streams) stream.workers--;
    return lost.streams;
  }

  #remove(calls: WorkerCalls, call: AssignedCall, now: number, inferMs?: number): void {
    const behind = calls.remove(call, now, inferMs);
    if (behind !== undefined) this.#countAhead(behind, -1);
    if (call.kind === "interim") this.#interimCalls--;
    if (calls.count > 0) return;
    this.#busy.delete(call.worker);
    this.#idle.push(call.worker);
  }

  #countAhead({ jobs }: AssignedCall, sign: 1 | -1): void {
    this.#aheadCalls += sign;
    this.#aheadJobs += sign * jobs.length;
  }
}
