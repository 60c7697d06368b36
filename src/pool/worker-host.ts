import type { Arena } from "../audio/arena.ts";
import type { JobResult } from "../model/job.ts";
import type { ModelInfo } from "../model/model-info.ts";
import type { ModelReport } from "../worker/model-reports.ts";
import type { AudioJob } from "./lane.ts";

/** What a host needs to load a model. */
export interface HostOptions {
  /** Name of a built-in model or path of a model file. */
  readonly model: string;
  readonly settings: Readonly<Record<string, unknown>>;
  /** The memory that the spans of jobs refer to. */
  readonly arena: Arena;
  /** Hosts that the pool started before this one. */
  readonly spawn: number;
  /** Index of the worker, for the log; default 0. */
  readonly worker?: number;
}

/** A job and the lane that it came through. A host gets the options of a lane with each of its jobs. */
export interface LaneJob {
  readonly job: AudioJob;
  readonly lane: {
    /** Unique in the pool. */
    readonly number: number;
    /** `options` of the `start`, for the model; undefined: none. */
    readonly options: unknown;
  };
}

/** Why nobody wants the result of a call: it took too long, or its stream has ended or gone on. */
export type AbortReason = "timeout" | "unwanted";

/** The end of a call. */
export interface CallResult {
  readonly call: number;
  /** Time in the model. */
  readonly inferMs: number;
  /** One result for each job, in order. */
  readonly results: readonly JobResult[];
}

/** Why a host has ended. */
export interface HostExit {
  /** Message of the error, or the exit code. */
  readonly cause: string;
  /** Present when an error ended the host. */
  readonly stack?: string;
  /** A fault of the server ended the host. */
  readonly fault?: unknown;
}

/**
 * Receiver of a host's reports. A host reports nothing within `StartHost` or its own methods, nothing but `reported` and
 * `exited` after `close` or `terminate`, and nothing after `exited`.
 */
export interface HostEvents {
  /** The model is loaded and warm. At most once. */
  ready(info: ModelInfo): void;
  /** Calls have ended. Once for each call that was not withdrawn, unless the host ends, or is to end, during it. */
  done(results: readonly CallResult[]): void;
  /** The model reports something beside results, also while its host closes. */
  reported(report: ModelReport): void;
  /** The model sent a message of its own through the host's channel. It is ignored. */
  strangeMessage(): void;
  /** The host has ended, whatever the reason; without `ready` before, the model could not be loaded. Exactly once. */
  exited(exit: HostExit): void;
}

/**
 * A place where one instance of a model runs, such as a thread or a process. It runs one call at a time, or as many as
 * the model declares by `concurrency`, which then end in any order, after `ready` and before `close` and `terminate`. No method throws or waits; after `exited` none has an effect, but `withdraw` still
 * tells what was taken.
 */
export interface WorkerHost {
  /**
   * Calls that may be queued behind the one that runs, so that the model does not wait for the main thread. 0: the host
   * gets a call when it has ended the last one.
   */
  readonly ahead: number;
  /**
   * Another one starts in its place only when this one has ended: what it occupies, such as memory of a GPU, is not there
   * twice. `terminate` ends such a host in a short time, whatever it does. Default: false.
   */
  readonly exclusive?: boolean;
  /** Process of the host; undefined: it has none, or has ended. */
  readonly pid?: number | undefined;
  /**
   * Queues a call behind those that have not been taken. The samples may be read, and must not be written, until `done`,
   * `exited`, or `withdraw` returns true.
   * @param call number for `CallResult`
   * @param jobs one or more; not more than the model's `maxBatch`
   */
  call(call: number, jobs: readonly LaneJob[]): void;
  /**
   * Takes back the last call, unless the model has taken it. Returns true if it has not and never will.
   * @param call number of the last call that was queued and not withdrawn
   */
  withdraw(call: number): boolean;
  /** Returns whether the model has taken a call, which has not ended. */
  hasTaken(call: number): boolean;
  /**
   * Aborts the signal of a call that has not ended. The call ends nevertheless, with a result that nobody wants. Has an
   * effect if the model declares `concurrency`.
   */
  abort(call: number, reason: AbortReason): void;
  /** Returns the results of calls that have ended and were not reported. `done` does not report them again. */
  poll(): readonly CallResult[];
  /** The lane is closed: no further call has jobs of it. */
  forget(lane: number): void;
  /**
   * Drops the calls that the model has not taken. Closes the model and ends the host, now or when its call or its load has ended, which may be never. The caller sets
   * the time limit and terminates the host after it.
   */
  close(): void;
  /**
   * Ends the host as soon as that is possible without harm to the process, even during a call. A host that is within
   * native code ends when that returns, which may be never.
   */
  terminate(): void;
}

/** Starts a host that loads the model. */
export type StartHost = (options: HostOptions, events: HostEvents) => WorkerHost;
