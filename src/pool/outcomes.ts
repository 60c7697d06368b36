import type { Arena } from "../audio/arena.ts";
import type { JobFailure, JobResult, Outcome } from "../model/job.ts";
import type { Settle } from "./lane.ts";
import type { PoolTelemetry } from "./pool-telemetry.ts";
import type { AssignedCall, QueuedJob } from "./queued-job.ts";

/**
 * Delivers outcomes to those who submitted the jobs, and releases their samples. An error thrown by a receiver is logged
 * and stops no other.
 */
export class Outcomes {
  readonly #telemetry: PoolTelemetry;
  readonly #arena: Arena;
  #deferred: [Settle, Outcome][] = [];

  /** @param arena with the samples of the jobs */
  constructor(telemetry: PoolTelemetry, arena: Arena) {
    this.#telemetry = telemetry;
    this.#arena = arena;
  }

  /** Releases the samples of a job that no worker can read any more. */
  release({ job }: QueuedJob): void {
    this.#arena.releaseSpan(job.audio);
  }

  /** Delivers what the model has returned for a job. */
  deliverResult(job: QueuedJob, result: JobResult, call: AssignedCall, inferMs: number): void {
    const { error, stack, code, uncloned } = result;
    if (uncloned !== undefined) this.#telemetry.stateUncloned(call.worker, uncloned);
    if (job.cancelled) return;
    if (error !== undefined) this.#telemetry.inferenceFailed(call.worker, error, stack, code);
    this.deliver(job.settle, resultOutcome(job, result, call, inferMs));
  }

  /** Delivers that a job has no result. @param now end of its call */
  fail(job: QueuedJob, code: JobFailure, message: string, now: number): void {
    const { queueMs, startedMs, settle } = job;
    this.#telemetry.jobFailed(code);
    this.deliver(settle, { status: "failed", code, message, queueMs, inferMs: now - startedMs });
  }

  /** Delivers that a job was never started. */
  failUnstarted({ submittedMs, settle }: QueuedJob, message: string, now: number): void {
    const code = "model_unavailable";
    this.#telemetry.jobFailed(code);
    this.deliver(settle, { status: "failed", code, message, queueMs: now - submittedMs, inferMs: 0 });
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

export const FAULT_MESSAGE = "an internal error of the server; it has been logged";

/** In place of the words of a model that may be about the audio or the options of another caller. The log has those. */
const BATCH_FAILED = "the batch that had this call failed";

/** Returns the outcome of a job whose result is lost by a fault of the server. */
export function faultOutcome({ queueMs }: QueuedJob): Outcome {
  return { status: "failed", code: "worker_crashed", message: FAULT_MESSAGE, queueMs, inferMs: 0 };
}

/** Returns the outcome of a job that the model has answered, or for which it threw an error. */
function resultOutcome(job: QueuedJob, result: JobResult, call: AssignedCall, inferMs: number): Outcome {
  const { error, code, wholeBatch, output, audio, state, opened, endpoint } = result;
  const { queueMs } = job;
  if (error !== undefined) {
    const message = wholeBatch === true && hasOtherCallers(job, call) ? BATCH_FAILED : error;
    return { status: "failed", code: code ?? "inference_failed", message, thrown: true, queueMs, inferMs };
  }
  return {
    status: "ok",
    output,
    ...(audio !== undefined && { audio }),
    ...(state !== undefined && { state }),
    ...(opened === true && { opened }),
    ...(endpoint === true && { endpoint }),
    queueMs,
    inferMs,
    worker: call.worker,
    batchSize: call.jobs.length,
  };
}

function hasOtherCallers({ lane }: QueuedJob, { jobs }: AssignedCall): boolean {
  return jobs.some((other) => other.lane.stream.caller.caller !== lane.stream.caller.caller);
}
