import type { Assignments } from "./assignments.ts";
import type { LookAhead } from "./look-ahead.ts";
import type { AssignedCall, QueuedJob, SchedulerLane, StreamTurns } from "./queued-job.ts";
import type { WaitingJobs } from "./waiting-jobs.ts";
import type { WorkerCalls } from "./worker-calls.ts";

/** A batch that has not been taken is formed anew when the jobs that could join it are at least this share of it. */
const COMPANY = 1 / 8;

/** What the hosts of the workers can do. */
export interface CallQueues {
  /** Calls that a worker can have besides the one that it runs. */
  readonly ahead: number;
  /** Takes back the last call of a worker. Returns false when the worker has taken it, or it is not the last one. */
  withdraw(call: AssignedCall): boolean;
  /** Aborts a call that a worker runs, because nobody wants its result. Only if it can be aborted. */
  abort(call: AssignedCall): void;
}

/**
 * Takes back calls that their workers have not taken. Their jobs wait again, in the places that they had, as if they had
 * not been assigned.
 */
export class Withdrawals {
  readonly #assignments: Assignments;
  readonly #waiting: WaitingJobs;
  readonly #lookAhead: LookAhead;
  readonly #maxBatch: number;
  readonly #queues: CallQueues;
  readonly #ended: (job: QueuedJob, call: AssignedCall) => void;
  #reserveChanged = false;
  /** Places that did not give a call back since the last review. */
  readonly #asked = new Set<number>();

  /** @param ended receives jobs that were settled before their call was taken back: they do not wait again */
  constructor(
    assignments: Assignments,
    waiting: WaitingJobs,
    lookAhead: LookAhead,
    maxBatch: number,
    queues: CallQueues,
    ended: (job: QueuedJob, call: AssignedCall) => void,
  ) {
    this.#ended = ended;
    this.#assignments = assignments;
    this.#waiting = waiting;
    this.#lookAhead = lookAhead;
    this.#maxBatch = maxBatch;
    this.#queues = queues;
  }

  /** A stream may have fewer workers than before. */
  reserveChanged(): void {
    this.#reserveChanged = true;
  }

  /** Takes back all calls of a worker that it has not taken. */
  withdrawAll(worker: number): void {
    const places = this.#assignments.placesOf(worker);
    if (places.length === 1) return this.#withdrawFrom(places[0]!, 0);
    const all = places.flatMap((place) => this.#assignments.callsOf(place) ?? []);
    // In the order in which they were queued.
    all.sort((a, b) => b.last.number - a.last.number);
    for (const calls of all) if (!this.#withdrawLast(calls)) return;
  }

  /** Takes back the calls behind the first `kept` of a place. */
  #withdrawFrom(place: number, kept: number): void {
    for (let calls = this.#assignments.callsOf(place); calls !== undefined && calls.count > kept;) {
      if (!this.#withdrawLast(calls)) return;
      calls = this.#assignments.callsOf(place);
    }
  }

  /** Takes back the call of the lane's interim. */
  withdrawInterim({ running }: SchedulerLane): void {
    for (const job of running) if (job.kind === "interim") this.withdrawJob(job);
  }

  /** Takes back the call of a job, and those behind it. */
  withdrawJob(job: QueuedJob): void {
    while (job.call !== undefined) {
      const calls = this.#assignments.callsOf(job.call.place)!;
      if (!this.#withdrawLast(calls)) return;
    }
  }

  /**
   * Takes back calls behind others for workers that have nothing to do. Returns whether there were any.
   * @param filtered not all jobs may have the next idle worker
   */
  shareWithIdle(filtered: boolean): boolean {
    let { idle } = this.#assignments;
    const { aheadCalls } = this.#assignments;
    if (aheadCalls === 0) return false;
    for (const calls of this.#assignments.busyWorkers) {
      if (idle === 0) break;
      if (this.#asked.has(calls.place)) continue;
      const { count } = calls;
      const movable = filtered ? this.#lastMovable(calls) : count - 1;
      if (movable < 1) continue;
      // With a filter, the calls before it are kept, so that it may go.
      this.#withdrawFrom(calls.place, filtered ? movable : Math.ceil(count / 2));
      if (calls.count <= movable) idle--;
      // The worker has taken the call, which is not known otherwise. It must not be asked for it again and again.
      else this.#asked.add(calls.place);
    }
    return this.#assignments.aheadCalls < aheadCalls;
  }

  /** Index of the last call that could go to the last idle worker when it and those behind it are taken back. */
  #lastMovable(calls: WorkerCalls): number {
    const others = this.#assignments.places - 1;
    return calls.all.findLastIndex(({ jobs }, index, all) => {
      const isKept = (stream: StreamTurns): boolean =>
        all.findIndex((call) => call.jobs.some(({ lane }) => lane.stream === stream)) < index;
      return jobs.every(({ lane: { stream } }) => {
        return stream.workers < others || (stream.workers === others && !isKept(stream));
      });
    });
  }

  /**
   * Takes back calls for which there is a better decision now.
   * @param filtered not all jobs may have the next idle worker
   */
  review(now: number, filtered: boolean): void {
    this.#asked.clear();
    if (this.#assignments.aheadCalls > 0) {
      const late = (calls: WorkerCalls): boolean => this.#reserveChanged || this.#lookAhead.isLate(calls, now);
      for (const calls of this.#assignments.busyWorkers) if (late(calls)) this.#withdrawFrom(calls.place, 1);
    }
    this.#reserveChanged = false;
    // A call ahead is older than what waits. If calls are short, it is not worth the effort.
    if (this.#assignments.idle > 0 && this.#lookAhead.isShallow) this.shareWithIdle(filtered);
    if (this.#waiting.finals.size === 0) return;
    for (const calls of this.#assignments.busyWorkers) {
      const { last } = calls;
      if (last.kind === "interim" ? this.#assignments.idle === 0 : this.#mayGrow(last)) this.#withdrawLast(calls);
    }
  }

  /** Returns whether finals that wait could join a call. A job that is repeated stays alone. */
  #mayGrow({ jobs }: AssignedCall): boolean {
    if (jobs.length >= this.#maxBatch || jobs[0]!.calls > 1) return false;
    return this.#waiting.finals.size >= jobs.length * COMPANY;
  }

  #withdrawLast(calls: WorkerCalls): boolean {
    const call = calls.last;
    if (!this.#queues.withdraw(call)) return false;
    this.#assignments.remove(call, call.assignedMs);
    for (const job of call.jobs.toReversed()) {
      if (job.cancelled) {
        this.#ended(job, call);
        continue;
      }
      job.calls--;
      job.lane.jobWithdrawn(job);
      this.#waiting.giveBack(job);
    }
    return true;
  }
}
