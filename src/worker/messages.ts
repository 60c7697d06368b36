/**
 * Messages between a thread host and its worker. Calls and results without state or audio travel as JSON text, because
 * Bun passes strings between threads without a structured clone. Samples of a call never travel in a message.
 */

import type { Job, JobResult } from "../model/job.ts";
import type { ModelInfo } from "../model/model-info.ts";
import type { NativeSamples } from "../native/samples.ts";

/** To the worker, once: the model to load. */
export interface LoadMessage {
  readonly type: "load";
  /** The memory of the arena: threads have one address space. */
  readonly arena: NativeSamples;
  /** Of `AddonFlag`. */
  readonly addonFlag: SharedArrayBuffer;
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
}

/** A job and its span, as the worker gets them. */
export interface JobMessage {
  readonly lane: number;
  readonly final: boolean;
  readonly slabs: readonly number[];
  readonly offset: number;
  readonly length: number;
  readonly step?: Job["step"];
  readonly state?: unknown;
  readonly traceparent?: string;
}

/** To the worker: one call with one or more jobs. */
export interface CallMessage {
  readonly type: "call";
  readonly call: number;
  readonly jobs: readonly JobMessage[];
}

/** To the worker: close the model and end, after the running call or load. */
export interface CloseMessage {
  readonly type: "close";
  /** Number of the call whose result the host has not had, and ignores. */
  readonly unanswered?: number;
}

/** To the worker: end now. It arrives when the thread runs its event loop. */
export interface ExitMessage {
  readonly type: "exit";
}

export type ToWorker = LoadMessage | OptionsMessage | ForgetMessage | CallMessage | CloseMessage | ExitMessage;

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

/**
 * The result of a job: in a text message with `output`, in other messages with `outputJson`, the output as JSON text.
 */
export interface ResultMessage extends JobResult {
  readonly outputJson?: string;
}

/** From the worker: the end of a call, with one result for each job, in order. */
export interface DoneMessage {
  readonly type: "done";
  readonly call: number;
  readonly inferMs: number;
  readonly results: readonly ResultMessage[];
}

export type FromWorker = ReadyMessage | LoadFailedMessage | DoneMessage;

/** The result of a job before it is encoded. */
export type WorkerResult = Omit<ResultMessage, "output">;

/** Returns JSON text, or the message itself when a job has state, which takes a structured clone. */
export function encodeCall(message: CallMessage): CallMessage | string {
  for (const job of message.jobs) if (job.state !== undefined) return message;
  return JSON.stringify(message);
}

/** Returns JSON text, or an object when a result has audio or state. Outputs are JSON already and not encoded again. */
export function encodeDone(call: number, inferMs: number, results: readonly WorkerResult[]): DoneMessage | string {
  let text = "";
  for (const result of results) {
    if (result.audio !== undefined || result.state !== undefined) return { type: "done", call, inferMs, results };
    const { outputJson, ...rest } = result;
    const encoded = outputJson === undefined ? JSON.stringify(rest) : `{"output":${outputJson}}`;
    text += text === "" ? encoded : `,${encoded}`;
  }
  return `{"type":"done","call":${call},"inferMs":${inferMs},"results":[${text}]}`;
}

/** Returns the message of a port. Throws SyntaxError for text that is not JSON. */
export function decodeMessage(data: unknown): unknown {
  return typeof data === "string" ? JSON.parse(data) : data;
}

/** Returns the end of a call with all outputs as objects. */
export function decodeDone(message: DoneMessage): DoneMessage & { readonly results: readonly JobResult[] } {
  if (message.results.every(({ outputJson }) => outputJson === undefined)) return message;
  const results = message.results.map(({ outputJson, ...result }): JobResult => {
    return outputJson === undefined ? result : { ...result, output: JSON.parse(outputJson) as Record<string, unknown> };
  });
  return { ...message, results };
}
