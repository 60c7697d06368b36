import type { AssignedCall, QueuedJob, StreamTurns } from "./queued-job.ts";
import { WorkerCalls } from "./worker-calls.ts";

/** Returns whether the job's stream may have another place. */
export type JobFilter = (job: QueuedJob) => boolean;

/** A place whose worker ended during a call. */
interface LostPlace {
  readonly place: number;
  readonly streams: ReadonlySet<StreamTurns>;
  readonly untilMs: number;
}

/**
 * The state of every place: idle, busy with calls, or lost with one. A worker has one place, or as many as it takes calls
 * at once; where a place is meant that may be the only one, it is called a worker. A lost place stays occupied by the
 * streams of its call until it is back, so that crashes caused by one stream do not take place after place from the
 * others.
 */
export class Assignments {
  readonly #idle: number[] = [];
  /** Places with calls. */
  readonly #busy = new Map<number, WorkerCalls>();
  readonly #lost = new Map<number, LostPlace>();
  /** Workers with calls, and their busy places. */
  readonly #busyPlaces = new Map<number, number>();
  readonly #lostMs: number;
  readonly #concurrency: number;
  #callCount = 0;
  #interimCalls = 0;
  #aheadCalls = 0;
  #aheadJobs = 0;

  /**
   * @param lostMs time after which a lost place no longer counts, because it may never be back
   * @param concurrency places of a worker
   */
  constructor(lostMs: number, concurrency: number) {
    this.#lostMs = lostMs;
    this.#concurrency = concurrency;
  }

  get idle(): number {
    return this.#idle.length;
  }

  /** Calls that workers make: one in each place. */
  get running(): number {
    return this.#busy.size;
  }

  /** Workers with calls. */
  get busy(): number {
    return this.#busyPlaces.size;
  }

  /** Places that are idle, busy or lost. */
  get places(): number {
    return this.#idle.length + this.#busy.size + this.#lost.size;
  }

  /** Calls, and their jobs, that are behind the first one of their place. */
  get aheadCalls(): number {
    return this.#aheadCalls;
  }

  get aheadJobs(): number {
    return this.#aheadJobs;
  }

  /** The calls of the place; undefined: it has none. */
  callsOf(place: number): WorkerCalls | undefined {
    return this.#busy.get(place);
  }

  /** The call of a worker; undefined: it has no such call. */
  find(worker: number, number: number): AssignedCall | undefined {
    const first = worker * this.#concurrency;
    for (let place = first; place < first + this.#concurrency; place++) {
      const call = this.#busy.get(place)?.find(number);
      if (call !== undefined) return call;
    }
    return undefined;
  }

  placesOf(worker: number): number[] {
    return Array.from({ length: this.#concurrency }, (_, i) => worker * this.#concurrency + i);
  }

  /** The calls of every place that has any. */
  get busyWorkers(): Iterable<WorkerCalls> {
    return this.#busy.values();
  }

  /** Adds the idle places of a worker. Returns the streams that occupied them while they were lost. */
  workerReady(worker: number): Iterable<StreamTurns> {
    const released: StreamTurns[] = [];
    for (const place of this.placesOf(worker)) {
      if (this.#busy.has(place) || this.#idle.includes(place)) throw new Error(`worker ${worker} is ready already`);
      this.#idle.push(place);
      released.push(...this.#release(this.#lost.get(place)));
    }
    return released;
  }

  /** Removes a worker. Returns its calls, which were all taken. */
  workerEnded(worker: number, now: number): readonly AssignedCall[] {
    return this.placesOf(worker).flatMap((place) => this.#endPlace(place, now));
  }

  #endPlace(place: number, now: number): readonly AssignedCall[] {
    const idle = this.#idle.indexOf(place);
    if (idle >= 0) this.#idle.splice(idle, 1);
    const calls = this.#busy.get(place);
    if (calls === undefined) return [];
    const ended = calls.all;
    const streams = new Set(ended.flatMap(({ jobs }) => jobs.map(({ lane }) => lane.stream)));
    for (const call of ended) this.#remove(calls, call, now);
    this.#idle.splice(this.#idle.indexOf(place), 1);
    for (const stream of streams) stream.workers++;
    this.#lost.set(place, { place, streams, untilMs: now + this.#lostMs });
    return ended;
  }

  /** Gives up lost places whose time is over. Returns the streams that occupied them. */
  giveUpLost(now: number): StreamTurns[] {
    const released: StreamTurns[] = [];
    for (const lost of this.#lost.values()) if (now >= lost.untilMs) released.push(...this.#release(lost));
    return released;
  }

  /** Gives a call to an idle place, or to the one that is given. Throws when no place is idle. */
  assign(jobs: readonly QueuedJob[], now: number, timeoutMs: number, place = this.#takeIdle()): AssignedCall {
    if (place === undefined) throw new Error("no worker is idle");
    let calls = this.#busy.get(place);
    if (calls === undefined) this.#busy.set(place, (calls = this.#occupy(place, timeoutMs)));
    const call = calls.add(this.#callCount++, jobs, now);
    if (calls.count > 1) this.#countAhead(call, 1);
    if (call.kind === "interim") this.#interimCalls++;
    return call;
  }

  /**
   * Removes a call, which has ended or was withdrawn. Without others, its place is idle.
   * @param inferMs time in the model; undefined: not known
   */
  remove(call: AssignedCall, now: number, inferMs?: number): void {
    const calls = this.#busy.get(call.place);
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
    const others = this.places - 1;
    if (others === 0) return undefined;
    return ({ lane }) => lane.stream.workers - Number(calls.has(lane.stream)) < others;
  }

  /** Returns whether a call of interims may start. One of several places is kept free of them. */
  interimAllowed(places: number): boolean {
    return this.#interimCalls < (places === 1 ? 1 : this.#idle.length + this.#busy.size - 1);
  }

  /** Calls that are the first of their place and have reached their deadline. */
  overdue(now: number): AssignedCall[] {
    const calls: AssignedCall[] = [];
    for (const { first } of this.#busy.values()) if (now >= first.deadlineMs) calls.push(first);
    return calls;
  }

  /** The next time for `overdue` or `giveUpLost`; Infinity: none. */
  nextDueMs(): number {
    let dueMs = Infinity;
    for (const { first } of this.#busy.values()) dueMs = Math.min(dueMs, first.deadlineMs);
    for (const { untilMs } of this.#lost.values()) dueMs = Math.min(dueMs, untilMs);
    return dueMs;
  }

  /** Takes an idle place: of several places, one of the worker with the fewest calls. */
  #takeIdle(): number | undefined {
    const idle = this.#idle;
    if (this.#concurrency === 1 || idle.length < 2) return idle.pop();
    let chosen = idle.length - 1;
    let fewest = Infinity;
    for (let i = idle.length - 1; i >= 0 && fewest > 0; i--) {
      const busy = this.#busyPlaces.get(this.#workerOf(idle[i]!)) ?? 0;
      if (busy < fewest) [chosen, fewest] = [i, busy];
    }
    return idle.splice(chosen, 1)[0];
  }

  #workerOf(place: number): number {
    return Math.floor(place / this.#concurrency);
  }

  #occupy(place: number, timeoutMs: number): WorkerCalls {
    const worker = this.#workerOf(place);
    this.#busyPlaces.set(worker, (this.#busyPlaces.get(worker) ?? 0) + 1);
    return new WorkerCalls(worker, place, timeoutMs);
  }

  #vacate({ worker, place }: WorkerCalls): void {
    const busy = this.#busyPlaces.get(worker)! - 1;
    if (busy === 0) this.#busyPlaces.delete(worker);
    else this.#busyPlaces.set(worker, busy);
    this.#busy.delete(place);
    this.#idle.push(place);
  }

  #release(lost: LostPlace | undefined): Iterable<StreamTurns> {
    if (lost === undefined) return [];
    this.#lost.delete(lost.place);
    for (const stream of lost.streams) stream.workers--;
    return lost.streams;
  }

  #remove(calls: WorkerCalls, call: AssignedCall, now: number, inferMs?: number): void {
    const behind = calls.remove(call, now, inferMs);
    if (behind !== undefined) this.#countAhead(behind, -1);
    if (call.kind === "interim") this.#interimCalls--;
    if (calls.count === 0) this.#vacate(calls);
  }

  #countAhead({ jobs }: AssignedCall, sign: 1 | -1): void {
    this.#aheadCalls += sign;
    this.#aheadJobs += sign * jobs.length;
  }
}
