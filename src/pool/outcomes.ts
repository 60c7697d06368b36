import type { JobFailure, JobResult, Outcome } from "../model/job.ts";
import type { RunningCall } from "./assignments.ts";
import type { Settle } from "./lane.ts";
import type { PoolTelemetry } from "./pool-telemetry.ts";
import type { QueuedJob } from "./queued-job.ts";

/** Delivers outcomes to those who submitted the jobs. An error thrown by one of them is logged and stops no other. */
export class Outcomes {
  readonly #telemetry: PoolTelemetry;
  #deferred: [Settle, Outcome][] = [];

  constructor(telemetry: PoolTelemetry) {
    this.#telemetry = telemetry;
  }

  /** Delivers at the next flush: the receiver is our caller and must return first. */
  defer(settle: Settle, outcome: Outcome): void {
    this.#deferred.push([settle, outcome]);
  }

  flush(): void {
    const deferred = this.#deferred;
    if (deferred.length === 0) return;
    this.#deferred = [];
    for (const [settle, outcome] of deferred) this.deliver(settle, outcome);
  }

  deliver(settle: Settle, outcome: Outcome): void {
    try {
      settle(outcome);
    } catch (error) {
      this.#telemetry.settleThrew(error);
    }
  }
}

/** Returns the outcome of a job that the model has answered, or for which it threw an error. */
export function resultOutcome(job: QueuedJob, result: JobResult, call: RunningCall, inferMs: number): Outcome {
  const { error, output, audio, state } = result;
  const { queueMs } = job;
  if (error !== undefined) return { status: "failed", code: "inference_failed", message: error, queueMs, inferMs };
  return {
    status: "ok",
    output,
    ...(audio !== undefined && { audio }),
    ...(state !== undefined && { state }),
    queueMs,
    inferMs,
    worker: call.worker,
    batchSize: call.jobs.length,
  };
}

/** Returns the outcome of a job whose call ended without a result. @param now end of the call */
export function failedOutcome(job: QueuedJob, code: JobFailure, message: string, now: number): Outcome {
  return { status: "failed", code, message, queueMs: job.queueMs, inferMs: now - job.startedMs };
}

/** Returns the outcome of a job that no worker could run. */
export function unstartedOutcome(job: QueuedJob, now: number): Outcome {
  const message = "no worker for the model could be started";
  return { status: "failed", code: "worker_crashed", message, queueMs: now - job.submittedMs, inferMs: 0 };
}
