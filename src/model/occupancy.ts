import type { SchedulerJob, SessionTurns } from "./scheduled.ts";

/** Jobs of one kind that go to one worker together. */
export interface Assignment<P> {
  readonly worker: number;
  readonly jobs: SchedulerJob<P>[];
  readonly deadlineMs: number;
}

/** Whether a job's session may have another worker. */
export type Admission<P> = (job: SchedulerJob<P>) => boolean;

/** Who occupies which worker: calls under way, and workers without one. */
export class Occupancy<P> {
  readonly #idle: number[] = [];
  readonly #calls = new Map<number, Assignment<P>>();
  #interimCalls = 0;

  get idle(): number {
    return this.#idle.length;
  }

  get busy(): number {
    return this.#calls.size;
  }

  workerReady(worker: number): void {
    if (this.#calls.has(worker) || this.#idle.includes(worker)) throw new Error(`worker ${worker} is ready already`);
    this.#idle.push(worker);
  }

  workerGone(worker: number): SchedulerJob<P>[] {
    const idle = this.#idle.indexOf(worker);
    if (idle >= 0) this.#idle.splice(idle, 1);
    return this.#calls.has(worker) ? this.#end(worker) : [];
  }

  /** Occupies an idle worker; there must be one. */
  begin(jobs: SchedulerJob<P>[], deadlineMs: number): Assignment<P> {
    const worker = this.#idle.pop();
    if (worker === undefined) throw new Error("no worker is idle");
    const assignment = { worker, jobs, deadlineMs };
    this.#calls.set(worker, assignment);
    if (jobs[0]?.kind === "interim") this.#interimCalls++;
    for (const turns of sessionsOf(jobs)) turns.calls++;
    return assignment;
  }

  /** The worker's call has ended, and the worker is idle again. */
  end(worker: number): SchedulerJob<P>[] {
    const jobs = this.#end(worker);
    this.#idle.push(worker);
    return jobs;
  }

  /** Whose work may start while several sessions have lanes open; undefined for everybody's. The last idle worker is not for a
   *  session that has a piece in every call under way: it would occupy all. There are at most as many such sessions as one
   *  call has pieces. */
  get admission(): Admission<P> | undefined {
    const busy = this.#calls.size;
    if (this.#idle.length !== 1 || busy === 0) return undefined;
    return ({ lane }) => lane.turns.calls < busy;
  }

  /** One of several workers is kept free of interims; `workers` is how many there should be. */
  interimAllowed(workers: number): boolean {
    return this.#interimCalls < (workers === 1 ? 1 : this.#idle.length + this.#calls.size - 1);
  }

  /** Workers whose call has reached its deadline. */
  overdue(nowMs: number): number[] {
    const workers: number[] = [];
    for (const call of this.#calls.values()) if (nowMs >= call.deadlineMs) workers.push(call.worker);
    return workers;
  }

  /** The first deadline of a call; Infinity when there is none. */
  deadlineMs(): number {
    let first = Infinity;
    for (const call of this.#calls.values()) first = Math.min(first, call.deadlineMs);
    return first;
  }

  #end(worker: number): SchedulerJob<P>[] {
    const call = this.#calls.get(worker);
    if (!call) throw new Error(`worker ${worker} has no call`);
    this.#calls.delete(worker);
    if (call.jobs[0]?.kind === "interim") this.#interimCalls--;
    for (const turns of sessionsOf(call.jobs)) turns.calls--;
    return call.jobs;
  }
}

/** Each session that has a piece among them, once. */
function sessionsOf<P>(jobs: readonly SchedulerJob<P>[]): Set<SessionTurns<P>> {
  return new Set(jobs.map(({ lane }) => lane.turns));
}
