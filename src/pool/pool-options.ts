import type { Arena } from "../audio/arena.ts";
import type { Clock } from "../lib/clock.ts";
import type { ModelMetrics, PoolLoad } from "../telemetry/metrics/model-metrics.ts";
import type { Log } from "./rate-limited-log.ts";

export interface ModelPoolOptions {
  /** A built-in model's name or the path of a model file. */
  readonly model: string;
  /** Given to the model as they are. */
  readonly settings: Record<string, unknown>;
  readonly workers: number;
  /** Longest time for one call, milliseconds. */
  readonly inferenceTimeoutMs: number;
  /** Finals of one lane that may run at once. */
  readonly maxInFlight: number;
  readonly arena: Arena;
  /** URL of `src/worker.ts`. */
  readonly workerUrl: string | URL;
  readonly log: Log;
  /** What it is measured with; default: nobody looks. */
  readonly metrics?: ModelMetrics;
  readonly clock?: Clock;
  /** Longest time for a worker to load and warm its model; default `LOAD_TIMEOUT_MS`. */
  readonly loadTimeoutMs?: number;
  /** False: the first call of a worker is a user's. Default true. */
  readonly warmUp?: boolean;
}

export const LOAD_TIMEOUT_MS = 120_000;

export interface PoolStats extends PoolLoad {
  readonly lanes: number;
  /** Queued or running. */
  readonly finalsPending: number;
  /** Totals since the start. */
  readonly calls: number;
  readonly pieces: number;
  readonly failures: number;
  readonly timeouts: number;
  readonly crashes: number;
  readonly dropped: number;
}
