import type { QueuedJob, SessionTurns } from "./queued-job.ts";

/** Jobs of one kind that go to one worker together. */
export interface Assignment<P> {
  readonly worker: number;
  readonly jobs: QueuedJob<P>[];
  readonly deadlineMs: number;
}

/** Whether a job's session may have another worker. */
export type Admission<P> = (job: QueuedJob<P>) => boolean;

/** A worker that went down with a call. */
interface Loss<P> {
  readonly worker: number;
  readonly sessions: ReadonlySet<SessionTurns<P>>;
  readonly untilMs: number;
}

/** Who occupies which worker: calls under way, workers without one, and those that a call took down. The latter are occupied by
 *  the call's sessions until they are back, so that one session's crashes do not take worker after worker from the others. */
export class Assignments<P> {
  readonly #idle: number[] = [];
  readonly #calls = new Map<number, Assignment<P>>();
  readonly #lost = new Map<number, Loss<P>>();
  readonly #absenceMs: number;
  #interimCalls = 0;

  /** `absenceMs`: a worker that is not back by then no longer counts, as it may never be. */
  constructor(absenceMs: number) {
    this.#absenceMs = absenceMs;
  }

  get idle(): number {
    return this.#idle.length;
  }

  get busy(): number {
    return this.#calls.size;
  }

  /** Gives the sessions that occupied it while it was away. */
  workerReady(worker: number): Iterable<SessionTurns<P>> {
    if (this.#calls.has(worker) || this.#idle.includes(worker)) throw new Error(`worker ${worker} is ready already`);
    this.#idle.push(worker);
    return this.#forgive(this.#lost.get(worker));
  }

  workerGone(worker: number, nowMs: number): QueuedJob<P>[] {
    const idle = this.#idle.indexOf(worker);
    if (idle >= 0) this.#idle.splice(idle, 1);
    if (!this.#calls.has(worker)) return [];
    const jobs = this.#end(worker);
    const sessions = sessionsOf(jobs);
    for (const turns of sessions) turns.workers++;
    this.#lost.set(worker, { worker, sessions, untilMs: nowMs + this.#absenceMs });
    return jobs;
  }

  /** Gives the sessions that no longer occupy a worker that has been away for too long. */
  forgiveAbsent(nowMs: number): SessionTurns<P>[] {
    const forgiven: SessionTurns<P>[] = [];
    for (const loss of this.#lost.values()) if (nowMs >= loss.untilMs) forgiven.push(...this.#forgive(loss));
    return forgiven;
  }

  /** Occupies an idle worker; there must be one. */
  begin(jobs: QueuedJob<P>[], deadlineMs: number): Assignment<P> {
    const worker = this.#idle.pop();
    if (worker === undefined) throw new Error("no worker is idle");
    const assignment = { worker, jobs, deadlineMs };
    this.#calls.set(worker, assignment);
    if (jobs[0]?.kind === "interim") this.#interimCalls++;
    for (const turns of sessionsOf(jobs)) turns.workers++;
    return assignment;
  }

  /** The worker's call has ended, and the worker is idle again. */
  end(worker: number): QueuedJob<P>[] {
    const jobs = this.#end(worker);
    this.#idle.push(worker);
    return jobs;
  }

  /** Whose work may start while several sessions have lanes open; undefined for everybody's. The last idle worker is not for a
   *  session that occupies every other one. There are at most as many such sessions as one call has pieces. */
  get admission(): Admission<P> | undefined {
    const others = this.#calls.size + this.#lost.size;
    if (this.#idle.length !== 1 || others === 0) return undefined;
    return ({ lane }) => lane.turns.workers < others;
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

  /** When `overdue` or `forgiveAbsent` will have something to say; Infinity for never. */
  dueMs(): number {
    let due = Infinity;
    for (const { deadlineMs } of this.#calls.values()) due = Math.min(due, deadlineMs);
    for (const { untilMs } of this.#lost.values()) due = Math.min(due, untilMs);
    return due;
  }

  #forgive(loss: Loss<P> | undefined): Iterable<SessionTurns<P>> {
    if (!loss) return [];
    this.#lost.delete(loss.worker);
    for (const turns of loss.sessions) turns.workers--;
    return loss.sessions;
  }

  #end(worker: number): QueuedJob<P>[] {
    const call = this.#calls.get(worker);
    if (!call) throw new Error(`worker ${worker} has no call`);
    this.#calls.delete(worker);
    if (call.jobs[0]?.kind === "interim") this.#interimCalls--;
    for (const turns of sessionsOf(call.jobs)) turns.workers--;
    return call.jobs;
  }
}

/** Each session that has a piece among them, once. */
function sessionsOf<P>(jobs: readonly QueuedJob<P>[]): Set<SessionTurns<P>> {
  return new Set(jobs.map(({ lane }) => lane.turns));
}
