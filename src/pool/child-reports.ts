import { MAX_SAMPLE_RATE } from "../lib/sample-format.ts";
import { failureCode, type JobResult } from "../model/job.ts";
import { findMetricProblems } from "../model/metric-fields.ts";
import type { ModelInfo } from "../model/model-info.ts";
import { MAX_CONCURRENCY } from "../model/module-fields.ts";
import { RESERVED_FIELDS } from "../protocol/events.ts";
import type { CrashedMessage, DoneMessage, LoadFailedMessage } from "../worker/child/child-messages.ts";
import { MAX_STATE_BYTES } from "../worker/child/frames.ts";
import { MAX_AUDIO_SAMPLES } from "../worker/output.ts";
import { EncodedState } from "./encoded-state.ts";
import type { ProcessCalls } from "./process-calls.ts";
import type { CallResult, HostExit } from "./worker-host.ts";

type Fields = Readonly<Record<string, unknown>>;
/** A message that was not checked. */
type Unchecked<Message> = Readonly<Partial<Record<keyof Message, unknown>>>;

const INFO_TYPES: Readonly<Partial<Record<keyof ModelInfo, string>>> = {
  name: "string",
  sampleRate: "number",
  stateful: "boolean",
  pinned: "boolean",
  disposes: "boolean",
  maxBatch: "number",
  maxBatchWaitMs: "number",
  idempotent: "boolean",
  warmUpMs: "number",
  warmedByCall: "boolean",
  loadMs: "number",
};

/** Returns whether a process has described its model completely. */
export function isModelInfo(info: unknown): info is ModelInfo {
  if (!isFields(info) || !Object.entries(INFO_TYPES).every(([name, type]) => typeof info[name] === type)) return false;
  const { concurrency, metrics } = info;
  const isConcurrency = concurrency === undefined || (isCount(concurrency, MAX_CONCURRENCY) && concurrency > 0);
  return isConcurrency && findMetricProblems(metrics).length === 0;
}

/** Reads why a model cannot be loaded, or has ended its process. */
export function readExit({ message, stack }: Unchecked<LoadFailedMessage | CrashedMessage>): HostExit {
  return { cause: String(message), ...(typeof stack === "string" && { stack }) };
}

/**
 * Reads the end of a call that a process has sent. States stay encoded.
 * @param calls those without a result
 * @returns what is wrong with it, if it is not the end of one of them
 */
export function readDone(header: Unchecked<DoneMessage>, blob: Uint8Array, calls: ProcessCalls): CallResult | string {
  const { call, inferMs, results } = header;
  const open = calls.find(call);
  if (open === undefined) return `done: found call ${JSON.stringify(call)}; allowed: ${calls.numbers.join(", ")}`;
  if (typeof inferMs !== "number" || !(inferMs >= 0)) return "done: inferMs is no time";
  if (!Array.isArray(results) || results.length !== open.jobs) return `done: allowed: ${open.jobs} results`;
  const reader = new BlobReader(blob);
  const read: JobResult[] = [];
  for (const result of results) {
    const one = isFields(result) ? readResult(result, reader) : undefined;
    if (one === undefined) return `done: result ${read.length} is malformed`;
    read.push(one);
  }
  if (!reader.isAtEnd) return "done: the blob is longer than the results";
  return { call: open.call, inferMs, results: read };
}

/** The parts of a blob, one after the other. */
class BlobReader {
  readonly #blob: Uint8Array;
  #at = 0;

  constructor(blob: Uint8Array) {
    this.#blob = blob;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#blob.length;
  }

  /** Returns a copy of the next bytes; undefined when there are fewer. */
  take(bytes: number): Uint8Array<ArrayBuffer> | undefined {
    if (bytes > this.#blob.length - this.#at) return undefined;
    // Not `slice`, which is a view of a Buffer.
    const part = new Uint8Array(bytes);
    part.set(this.#blob.subarray(this.#at, this.#at + bytes));
    this.#at += bytes;
    return part;
  }
}

/** Returns undefined when the result is malformed. */
function readResult(result: Fields, reader: BlobReader): JobResult | undefined {
  const { output, error, stack, wholeBatch, audio, state, uncloned, opened, endpoint } = result;
  if (error !== undefined) {
    if (typeof error !== "string") return undefined;
    return {
      error,
      ...(typeof stack === "string" && { stack }),
      ...(wholeBatch === true && { wholeBatch }),
      ...(failureCode(result["code"]) && { code: failureCode(result["code"])! }),
      ...(opened === true && { opened }),
    };
  }
  if (output !== undefined && !(isFields(output) && RESERVED_FIELDS.every((name) => !(name in output))))
    return undefined;
  const samples = audio === undefined ? undefined : readAudio(audio, reader);
  if (audio !== undefined && samples === undefined) return undefined;
  const bytes = state === undefined ? undefined : readState(state, reader);
  if (state !== undefined && bytes === undefined) return undefined;
  return {
    ...(output !== undefined && { output }),
    ...(samples !== undefined && { audio: samples }),
    ...(bytes !== undefined && { state: new EncodedState(bytes) }),
    ...(typeof uncloned === "string" && { uncloned }),
    ...(opened === true && { opened }),
    ...(endpoint === true && { endpoint }),
  };
}

function readAudio(audio: unknown, reader: BlobReader): JobResult["audio"] {
  if (!isFields(audio)) return undefined;
  const { length, sampleRate } = audio;
  if (!isCount(length, MAX_AUDIO_SAMPLES) || !isCount(sampleRate, MAX_SAMPLE_RATE) || sampleRate === 0)
    return undefined;
  const bytes = reader.take(length * Float32Array.BYTES_PER_ELEMENT);
  return bytes && { samples: new Float32Array(bytes.buffer), sampleRate };
}

function readState(state: unknown, reader: BlobReader): Uint8Array | undefined {
  return isCount(state, MAX_STATE_BYTES) ? reader.take(state) : undefined;
}

function isFields(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCount(value: unknown, most: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= most;
}
