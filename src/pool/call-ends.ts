import type { Clock } from "../lib/clock.ts";
import type { JobResult } from "../model/job.ts";
import type { ModelInfo } from "../model/model-info.ts";
import type { Disposals } from "./disposals.ts";
import type { JobScheduler } from "./job-scheduler.ts";
import { FAULT_MESSAGE, faultOutcome, type Outcomes } from "./outcomes.ts";
import type { PoolTelemetry } from "./pool-telemetry.ts";
import type { AssignedCall, EndedCalls, QueuedJob } from "./queued-job.ts";
import type { CallResult } from "./worker-host.ts";
import type { Workers } from "./workers.ts";

/** A call that has ended, and its results. */
export interface Ended {
  readonly call: AssignedCall;
  readonly result: CallResult;
}

export interface CallEndsOptions {
  readonly info: ModelInfo;
  readonly scheduler: JobScheduler;
  readonly workers: Workers;
  readonly outcomes: Outcomes;
  /** Undefined: the model has no `dispose`. */
  readonly disposals: Disposals | undefined;
  readonly telemetry: PoolTelemetry;
  readonly clock: Clock;
}

/** The ends of calls: with results, with the end of their worker, or by a fault of the server. */
export class CallEnds {
  readonly #options: CallEndsOptions;

  constructor(options: CallEndsOptions) {
    this.#options = options;
  }

  /**
   * Removes calls that have ended from the worker, and adds them to `ended`. After a fault the worker is replaced, since
   * it is not known which of its calls have ended.
   */
  take(worker: number, results: () => readonly CallResult[], ended: Ended[]): void {
    const { scheduler, telemetry, info, clock } = this.#options;
    const now = clock.now();
    try {
      for (const result of results()) {
        const call = scheduler.callEnded(worker, result.call, result.inferMs, now);
        if (call === undefined) continue;
        ended.push({ call, result });
        telemetry.callEnded(call, result.inferMs, info.sampleRate);
      }
    } catch (error) {
      this.giveUp(worker, error);
    }
  }

  /** Delivers the results of a call. Those of one that has expired come too late. */
  deliver({ call, result: { results, inferMs } }: Ended): void {
    const { outcomes, disposals } = this.#options;
    for (const [i, job] of call.jobs.entries()) {
      this.#settle(job, () => {
        this.#jobEnded(job, call.expired ? undefined : results[i]!);
        if (call.expired && job.job.step === "start") disposals?.stateLeft(job.lane, results[i]!.state);
        outcomes.deliverResult(job, results[i]!, call, inferMs);
      });
    }
  }

  /** Fails jobs that were never started. */
  failUnstarted(jobs: readonly QueuedJob[], message: string): void {
    const { outcomes, clock } = this.#options;
    const now = clock.now();
    for (const job of jobs) {
      this.#settle(job, () => {
        outcomes.release(job);
        outcomes.failUnstarted(job, message, now);
      });
    }
  }

  /** The worker has ended by itself, and its calls without results. */
  workerExited(worker: number): void {
    this.#release(this.#endWorker(worker, "worker_crashed", "the worker that ran the model crashed"));
  }

  /** Replaces a worker after a fault of the server in one of its calls. */
  giveUp(worker: number, error: unknown): void {
    this.#options.telemetry.faulted("call", error);
    this.abandon(worker, "worker_crashed", FAULT_MESSAGE);
  }

  /** Replaces a worker, and ends its calls without results. */
  abandon(worker: number, code: "worker_crashed" | "inference_timeout", message: string): void {
    const ended = this.#endWorker(worker, code, message);
    // Until the abandoned worker has ended, it may read the samples and use the state.
    this.#options.workers.replace(worker, () => this.#release(ended));
  }

  /** Settles the jobs of a call that has taken too long, and aborts it. @param untilMs when its worker is to be replaced */
  expire(call: AssignedCall, message: string, untilMs: number): void {
    const { scheduler, outcomes, clock } = this.#options;
    const now = clock.now();
    for (const job of scheduler.expire(call, untilMs)) {
      this.#settle(job, () => outcomes.fail(job, "inference_timeout", message, now));
    }
  }

  /** Ends the worker's calls. Returns what has ended; a worker may still read the samples. */
  #endWorker(worker: number, code: "worker_crashed" | "inference_timeout", message: string): EndedCalls {
    const { scheduler, outcomes, telemetry, info, clock } = this.#options;
    const now = clock.now();
    const ended = scheduler.workerEnded(worker, now, code === "worker_crashed");
    for (const call of ended.calls) {
      telemetry.callEnded(call, now - (call.startedMs ?? now), info.sampleRate);
    }
    for (const job of ended.jobs) {
      if (!job.cancelled) this.#settle(job, () => outcomes.fail(job, code, message, now));
    }
    return ended;
  }

  /** No worker runs these calls any more. */
  #release(ended: EndedCalls): void {
    for (const job of ended.calls.flatMap(({ jobs }) => jobs)) {
      if (ended.jobs.includes(job)) this.#jobEnded(job);
      else this.#options.disposals?.jobEnded(job, undefined);
    }
  }

  /** Settles a job by `act`. A fault in it fails this job and no other. */
  #settle(job: QueuedJob, act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#options.telemetry.faulted("settle", error);
      if (!job.cancelled) job.settle(faultOutcome(job));
    }
  }

  /** No worker runs the job any more. */
  #jobEnded(job: QueuedJob, result?: JobResult): void {
    const { outcomes, disposals } = this.#options;
    outcomes.release(job);
    disposals?.jobEnded(job, result);
  }
}
