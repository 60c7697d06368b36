/**
 * Messages between a server and a process that runs a model, as JSON in the headers of frames. Samples of a call never
 * travel in a message; states and audio of results do, as bytes in the blob.
 */

import type { ModelInfo } from "../../model/model-info.ts";
import type { ForgetMessage, JobMessage, OptionsMessage } from "../messages.ts";
import type { ModelReport } from "../model-reports.ts";

/** File descriptors that the process inherits. */
export const CHANNEL_FD = 3;
export const ARENA_FD = 4;
/** The C library. Not inherited when the server has no file of it. */
export const LIBRARY_FD = 5;

/** To the process, once. */
export interface LoadMessage {
  readonly type: "load";
  /** Name of a built-in model or path of a model file. */
  readonly model: string;
  readonly settings: Readonly<Record<string, unknown>>;
  /** See `LoadContext`. */
  readonly spawn: number;
  readonly arena: { readonly slabs: number };
  readonly slabSamples: number;
  /** Process ID of the server. */
  readonly parent: number;
  /**
   * Variables of OpenTelemetry, for models with spans of their own. They may contain secrets, so they are not in the
   * environment.
   */
  readonly tracing: Readonly<Record<string, string>>;
}

/** To the process, which has declared its settings: their values, or what is wrong with them. */
export interface OpenMessage {
  readonly type: "open";
  readonly settings: Readonly<Record<string, unknown>>;
  readonly problems: readonly string[];
}

/** A job; its state has this many bytes in the blob. */
export interface ChildJob extends Omit<JobMessage, "state"> {
  readonly state?: number;
}

export interface CallMessage {
  readonly type: "call";
  readonly call: number;
  readonly jobs: readonly ChildJob[];
}

/** To the process: nobody wants the result of a call. Only if the model declares `concurrency`. */
export interface AbortMessage {
  readonly type: "abort";
  readonly call: number;
  readonly reason: "timeout" | "unwanted";
}

/** To the process: close the model and end, after the running call or load. */
export interface CloseMessage {
  readonly type: "close";
  /** Calls whose results the server has not had, and ignores. */
  readonly unanswered: readonly number[];
}

export type ToChild =
  LoadMessage | OpenMessage | OptionsMessage | ForgetMessage | CallMessage | AbortMessage | CloseMessage;

/** From the process, if the server checks its settings. */
export interface DeclaredMessage {
  readonly type: "declared";
  /** What the model file declares, unchecked. */
  readonly module: unknown;
}

/** From the process: the model is loaded and warm. */
export interface ReadyMessage {
  readonly type: "ready";
  readonly info: ModelInfo;
}

/** From the process: the model cannot be loaded. It ends when it is closed. */
export interface LoadFailedMessage {
  readonly type: "load_failed";
  readonly message: string;
  readonly stack?: string;
}

/** From the process: see `ModelReport`. */
export interface ReportMessage {
  readonly type: "report";
  readonly report: ModelReport;
}

/** From the process, which ends: the model threw an error outside of a call. */
export interface CrashedMessage {
  readonly type: "crashed";
  readonly message: string;
  readonly stack?: string;
}

/** A result. Its audio is in the blob as f32, little-endian, then its state. */
export interface ChildResult {
  readonly output?: Readonly<Record<string, unknown>>;
  readonly error?: string;
  readonly code?: string;
  readonly stack?: string;
  readonly wholeBatch?: boolean;
  readonly audio?: {
    /** Samples. */
    readonly length: number;
    readonly sampleRate: number;
  };
  /** Bytes. */
  readonly state?: number;
  readonly uncloned?: string;
  readonly opened?: true;
  readonly endpoint?: true;
}

/** From the process, if the model declares `concurrency`: it takes a call. */
export interface TakenMessage {
  readonly type: "taken";
  readonly call: number;
}

/** From the process: the end of a call. */
export interface DoneMessage {
  readonly type: "done";
  readonly call: number;
  readonly inferMs: number;
  /** One for each job, in order. */
  readonly results: readonly ChildResult[];
}
