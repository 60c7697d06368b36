/**
 * Messages between a thread host and its worker. Most calls and results need none: see `CallRing` and `ResultRing`.
 * Samples of a call never travel in a message.
 */

import type { Job, JobResult } from "../model/job.ts";
import type { ModelInfo } from "../model/model-info.ts";
import type { NativeSamples } from "../native/samples.ts";
import type { ModelReport } from "./model-reports.ts";

/** To the worker, once: the model to load. */
export interface LoadMessage {
  readonly type: "load";
  /** Path by which the process has opened the C library. */
  readonly library: string | undefined;
  /** The memory of the arena: threads have one address space. */
  readonly arena: NativeSamples;
  /** Of `AddonFlag`. */
  readonly addonFlag: SharedArrayBuffer;
  /** Of `CallRing`. */
  readonly calls: SharedArrayBuffer;
  /** Of `ResultRing`. */
  readonly results: SharedArrayBuffer;
  /** Name of a built-in model or path of a model file. */
  readonly model: string;
  readonly settings: Readonly<Record<string, unknown>>;
  /** See `LoadContext`. */
  readonly spawn: number;
}

/** To the worker, before the first call with jobs of the lane. */
export interface OptionsMessage {
  readonly type: "options";
  readonly lane: number;
  /** `options` of the `start`. */
  readonly options: unknown;
}

/** To the worker: the lane is closed. */
export interface ForgetMessage {
  readonly type: "forget";
  readonly lane: number;
  /** Position of its last call that could not be withdrawn, if the worker has not taken that. */
  readonly last?: number;
}

/** A job and its span, as the worker gets them. */
export interface JobMessage {
  readonly lane: number;
  readonly final: boolean;
  readonly slabs: readonly number[];
  readonly offset: number;
  readonly length: number;
  /** Position in the stream of the first sample. */
  readonly start: number;
  /** Number of the utterance, from 0; undefined: the pattern has none. */
  readonly utterance?: number;
  readonly step?: Job["step"];
  readonly state?: unknown;
  readonly traceparent?: string;
}

/** To the worker, before a call whose jobs do not fit into the ring, or have state. */
export interface JobsMessage {
  readonly type: "jobs";
  /** Position of the call in the ring. */
  readonly position: number;
  readonly jobs: readonly JobMessage[];
}

/** To the worker: there are calls in the ring. */
export interface WakeMessage {
  readonly type: "wake";
}

/** To the worker: nobody wants the result of a call. */
export interface AbortMessage {
  readonly type: "abort";
  /** Position of the call in the ring. */
  readonly position: number;
  readonly reason: "timeout" | "unwanted";
}

/** To the worker: close the model and end, after the running call or load. */
export interface CloseMessage {
  readonly type: "close";
  /** Positions of the calls whose results the host has not had, and ignores. */
  readonly unanswered: readonly number[];
}

/** To the worker: end now. It arrives when the thread runs its event loop. */
export interface ExitMessage {
  readonly type: "exit";
}

/** To the worker, after the `LoadMessage`. The `CallRing` counts them. */
export type ToWorker =
  OptionsMessage | ForgetMessage | JobsMessage | AbortMessage | WakeMessage | CloseMessage | ExitMessage;

/** From the worker: the model is loaded and warm. */
export interface ReadyMessage {
  readonly type: "ready";
  readonly info: ModelInfo;
  /** The worker has something to close. */
  readonly closes: boolean;
}

/** From the worker: the model cannot be loaded. */
export interface LoadFailedMessage {
  readonly type: "load_failed";
  readonly message: string;
  readonly stack?: string;
}

/** The result of a job as the worker sends it: the output as JSON text. */
export interface WorkerResult extends Omit<JobResult, "output"> {
  readonly outputJson?: string;
}

/** From the worker: see `ModelReport`. */
export interface ReportMessage {
  readonly type: "report";
  readonly report: ModelReport;
}

/** From the worker: there are results in the ring. */
export interface ResultsMessage {
  readonly type: "results";
}

/** From the worker: the end of a call whose results do not fit into the ring, or have audio or state. */
export interface DoneMessage {
  readonly type: "done";
  /** Position of the call in the ring. */
  readonly position: number;
  readonly inferMs: number;
  /** One for each job, in order. */
  readonly results: readonly WorkerResult[];
}

export type FromWorker = ReadyMessage | LoadFailedMessage | ReportMessage | ResultsMessage | DoneMessage;

/** Returns results with their outputs as objects. */
export function decodeResults(results: readonly WorkerResult[]): readonly JobResult[] {
  return results.map(({ outputJson, ...result }): JobResult => {
    return outputJson === undefined ? result : { ...result, output: JSON.parse(outputJson) as Record<string, unknown> };
  });
}
