import type { AssignedCall, QueuedJob } from "./queued-job.ts";

/** The jobs without an outcome, and those that get one though no call has ended. */
export class OpenJobs {
  readonly #abort: (call: AssignedCall) => void;
  #finals = 0;
  #dropped: QueuedJob[] = [];

  /** @param abort receives each running call of which nobody wants a result any more */
  constructor(abort: (call: AssignedCall) => void) {
    this.#abort = abort;
  }

  /** Finals that are queued or running and not cancelled. */
  get finals(): number {
    return this.#finals;
  }

  finalSubmitted(): void {
    this.#finals++;
  }

  /** The call of the job has ended, and the job is not called again. */
  ended({ kind, cancelled }: QueuedJob): void {
    if (kind === "final" && !cancelled) this.#finals--;
  }

  /** Waiting finals are removed. */
  finalsRemoved(count: number): void {
    this.#finals -= count;
  }

  /** Drops a job that is not counted as a final. */
  drop(job: QueuedJob, reason: QueuedJob["dropReason"]): void {
    job.dropReason = reason;
    this.#dropped.push(job);
  }

  /** Drops a waiting job of a lane that is closed. */
  close(job: QueuedJob): void {
    this.ended(job);
    this.drop(job, "closed");
  }

  /** Drops a job that runs. Its call is aborted if it has no other. */
  cancel(job: QueuedJob, reason: QueuedJob["dropReason"]): void {
    if (job.cancelled) return;
    this.ended(job);
    job.cancelled = true;
    this.drop(job, reason);
    const { call } = job;
    if (call !== undefined && call.jobs.every(({ cancelled }) => cancelled)) this.#abort(call);
  }

  /**
   * Gives up a call that has taken too long. It keeps its place until it ends.
   * @param untilMs its new deadline
   * @returns its jobs that are to be settled
   */
  expire(call: AssignedCall, untilMs: number): readonly QueuedJob[] {
    call.expired = true;
    call.deadlineMs = untilMs;
    const jobs = call.jobs.filter(({ cancelled }) => !cancelled);
    for (const job of jobs) {
      this.ended(job);
      job.cancelled = true;
      job.startedMs = call.startedMs ?? call.assignedMs;
    }
    this.#abort(call);
    return jobs;
  }

  /** Returns the jobs that were dropped since the last call. A worker still reads the samples of a cancelled one. */
  takeDropped(): readonly QueuedJob[] {
    const dropped = this.#dropped;
    if (dropped.length > 0) this.#dropped = [];
    return dropped;
  }
}
