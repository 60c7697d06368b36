import type { Arena } from "../audio/arena.ts";
import type { Config } from "../config/config.ts";
import type { Lane } from "../pool/lane.ts";
import type { Logger } from "../telemetry/log/log.ts";
import type { ServerMetrics } from "../telemetry/metrics/server-metrics.ts";
import type { Memory } from "./memory.ts";

/** A model as streams use it. */
export interface ServedModel {
  readonly name: string;
  /** Hz; every stream is resampled to it. */
  readonly sampleRate: number;
  /** It can only be called in turn, with state. */
  readonly stateful: boolean;
  /** Finals that are queued or running. */
  readonly finalsPending: number;
  /** A place in the scheduler for one channel. `session` is what fairness goes by. */
  lane(session: object, options: unknown): Lane;
}

/** What sessions are given from outside. */
export interface Services {
  readonly config: Config;
  readonly arena: Arena;
  readonly memory: Memory;
  /** By name; the first is the default. */
  readonly models: ReadonlyMap<string, ServedModel>;
  readonly log: Logger;
  readonly metrics: ServerMetrics;
  /** Milliseconds, monotonic. */
  readonly clock: () => number;
}
