import type { Clock } from "../lib/clock.ts";
import type { JobFailure } from "../model/job.ts";
import { FaultLog } from "../telemetry/log/fault-log.ts";
import { RateLimitedLog, type WarningLog } from "../telemetry/log/rate-limited-log.ts";
import type { ModelMetrics } from "../telemetry/metrics/model-metrics.ts";
import type { AssignedCall, QueuedJob } from "./queued-job.ts";
import type { HostExit } from "./worker-host.ts";

/** Metrics and warnings of a pool. */
export class PoolTelemetry {
  #model: string;
  #metrics: ModelMetrics | undefined;
  readonly #log: RateLimitedLog;
  readonly #faults: FaultLog;

  /** @param model name for the log until the model is loaded */
  constructor(model: string, log: WarningLog, clock: Pick<Clock, "now">) {
    this.#model = model;
    this.#log = new RateLimitedLog(log, clock);
    this.#faults = new FaultLog({ error: (event, fields) => log.warn(event, { model: this.#model, ...fields }) });
  }

  /** @param exported the model's own name, for the log when no metrics are kept */
  modelLoaded(exported: string, metrics: ModelMetrics | undefined): void {
    this.#model = metrics?.model ?? exported;
    this.#metrics = metrics;
  }

  /** A call has ended, with results or without. */
  callEnded({ kind, jobs }: AssignedCall, inferMs: number, sampleRate: number): void {
    const [first] = jobs;
    if (first === undefined) return;
    let samples = 0;
    for (const { job, queueMs } of jobs) {
      samples += job.audio.length;
      this.#metrics?.jobStarted(kind, queueMs, job.traceparent);
    }
    this.#metrics?.callEnded(kind, inferMs, jobs.length, samples / sampleRate, first.job.traceparent);
  }

  /** The model threw an error. @param code that it has chosen */
  inferenceFailed(worker: number, error: string, stack: string | undefined, code: JobFailure | undefined): void {
    this.#metrics?.jobFailed(code ?? "inference_failed");
    this.#log.warn("inference_failed", { model: this.#model, worker, error, ...(code && { code }), stack });
  }

  jobFailed(code: JobFailure): void {
    this.#metrics?.jobFailed(code);
  }

  jobDropped({ kind, dropReason }: QueuedJob): void {
    if (kind === "interim") this.#metrics?.interimEnded(dropReason);
  }

  callTimedOut(worker: number, timeoutMs: number): void {
    this.#metrics?.workerDied("timeout");
    this.#log.warn("inference_timeout", { model: this.#model, worker, timeout_ms: timeoutMs });
  }

  /** A call has taken too long, and is aborted. Its worker lives on. */
  callAborted(worker: number, timeoutMs: number): void {
    this.#log.warn("inference_timeout", { model: this.#model, worker, timeout_ms: timeoutMs, aborted: true });
  }

  /** A call that was aborted does not end, so that its worker is replaced. */
  abortIgnored(worker: number, graceMs: number): void {
    this.#metrics?.workerDied("timeout");
    this.#log.warn("abort_ignored", { model: this.#model, worker, grace_ms: graceMs });
  }

  workerCrashed(worker: number, { cause, stack, fault }: HostExit): void {
    this.#metrics?.workerDied(stack === undefined && fault === undefined ? "exit" : "error");
    if (fault !== undefined) return this.faulted("host", fault);
    this.#log.warn("worker_crashed", { model: this.#model, worker, cause, stack });
  }

  loadFailed(worker: number, { cause, stack }: HostExit): void {
    this.#metrics?.workerDied("load");
    this.#log.warn("load_failed", { model: this.#model, worker, cause, stack });
  }

  workerStuck(worker: number, abandoned: number): void {
    this.#log.warn("worker_stuck", { model: this.#model, worker, abandoned });
  }

  /** A state has an object that loses its methods. */
  stateUncloned(worker: number, found: string): void {
    this.#log.warn("state_methods_lost", { model: this.#model, worker, found });
  }

  /** The workers report that the model cannot serve, and why; undefined: it can again. */
  reasonChanged(reason: string | undefined): void {
    if (reason === undefined) this.#log.warn("model_serves_again", { model: this.#model });
    else this.#log.warn("model_cannot_serve", { model: this.#model, reason });
  }

  /** Metrics that the model declares are not exposed. */
  metricsRefused(reason: string): void {
    this.#log.warn("metrics_refused", { model: this.#model, reason });
  }

  strangeMessage(worker: number): void {
    this.#log.warn("strange_message", { model: this.#model, worker });
  }

  /** A fault of the server, and what it was doing. */
  faulted(task: string, error: unknown): void {
    this.#faults.record(task, error);
  }

  settleThrew(error: unknown): void {
    this.#log.warn("settle_threw", {
      model: this.#model,
      error: String(error),
      stack: error instanceof Error ? error.stack : undefined,
    });
  }
}
