import type { Arena } from "../audio/arena.ts";
import type { Config } from "../config/config.ts";
import type { PatternContext } from "../pipeline/pattern.ts";
import type { Lane, LaneOwner } from "../pool/lane.ts";
import type { Logger } from "../telemetry/log/log.ts";
import type { ServerMetrics } from "../telemetry/metrics/server-metrics.ts";
import type { Memory } from "./memory.ts";
import type { Resumption } from "./resume/resumption.ts";
import type { StreamAdmission } from "./stream-admission.ts";

/** A model as streams use it. */
export interface ServedModel {
  /** Unique in the server: what a start selects it by, and what events, metrics and the log call it. */
  readonly name: string;
  /** A further name for a start, which no other model has. */
  readonly alias?: string;
  /** The name that the model itself exports. */
  readonly ownName: string;
  /** Counts the loads of the model: 1 for the first, one more for each reload. */
  readonly generation: number;
  /** Hz. Every stream is resampled to it. */
  readonly sampleRate: number;
  /** The model keeps state: it can only be called in turn. */
  readonly keepsState: boolean;
  /** A stream stays in the worker that has opened it, and is lost with that. `stepMs` is `model.step_ms`. */
  readonly pinned?: PatternContext["pinned"];
  /** Channels that all workers of a pinned model can have open; undefined: any number. */
  readonly maxStreams?: number | undefined;
  /** The state stays in the server: no checkpoint has it, and none is taken from one. */
  readonly encodesStates?: boolean | undefined;
  /** Names of the options that a start may have; undefined: all are passed on. */
  readonly options?: readonly string[] | undefined;
  /** Pieces of audio in one call at most. */
  readonly maxBatch: number;
  /** Reports, once, that the model's results have `words` of another form than the convention has. */
  readonly oddWords?: () => void;
  /** Why no stream can be started, for people; undefined: one can. */
  readonly unavailable?: string | undefined;
  /** The model has no worker and gets none: all of its jobs fail. */
  readonly isDown?: boolean;
  /** Finals that are queued or running. */
  readonly finalsPending: number;
  /** Opens a lane for one channel. `options` are those of the `start`, for the model. */
  lane(owner: LaneOwner, options: unknown): Lane;
}

/** Dependencies of sessions and streams. */
export interface Services {
  readonly config: Config;
  readonly arena: Arena;
  readonly memory: Memory;
  readonly admission: StreamAdmission;
  /** By name; the first is the default. */
  readonly models: ReadonlyMap<string, ServedModel>;
  /** Undefined: streams cannot be resumed. */
  readonly resumption?: Resumption | undefined;
  readonly log: Logger;
  readonly metrics: ServerMetrics;
  /** Returns milliseconds, monotonic. */
  readonly clock: () => number;
}
