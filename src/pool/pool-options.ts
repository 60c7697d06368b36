import type { Arena } from "../audio/arena.ts";
import type { Clock } from "../lib/clock.ts";
import type { WarningLog } from "../telemetry/log/rate-limited-log.ts";
import type { ModelMetrics } from "../telemetry/metrics/model-metrics.ts";
import type { StartHost } from "./worker-host.ts";

export interface PoolLimits {
  readonly workers: number;
  /** Longest time for one call. */
  readonly inferenceTimeoutMs: number;
  /** Longest time for a worker to load and warm up its model; default `LOAD_TIMEOUT_MS`. */
  readonly loadTimeoutMs?: number;
  /** Finals of one lane that may run at once. */
  readonly maxInFlight: number;
  /** Lanes that one worker of a pinned model may have open; default `MAX_STREAMS`. */
  readonly maxStreams?: number;
}

export interface ModelPoolOptions {
  /** Name of a built-in model or path of a model file. */
  readonly model: string;
  /** Settings of the model, as configured. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly limits: PoolLimits;
  /** The memory that the spans of jobs refer to. */
  readonly arena: Arena;
  /** Where workers run. */
  readonly startHost: StartHost;
  readonly log: WarningLog;
  /**
   * Returns the metrics of the model when it is loaded. Their label is the model's name in the log. By default, metrics
   * are not kept.
   * @param exported the model's own name
   */
  readonly metrics?: (exported: string) => ModelMetrics;
  /** By default, the system's. */
  readonly clock?: Clock;
}

export const LOAD_TIMEOUT_MS = 120_000;
export const MAX_STREAMS = 32;
