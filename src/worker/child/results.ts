import { serialize } from "bun:jsc";

import { describeError } from "../failures.ts";
import type { WorkerResult } from "../messages.ts";
import { findUncloned } from "../state-inspection.ts";
import { MAX_BLOB_BYTES, MAX_HEADER_BYTES, MAX_STATE_BYTES } from "./frames.ts";

/** Most bytes of the results in a header, which has a little more. */
const MAX_JSON_BYTES = MAX_HEADER_BYTES - 256;

/** The results of a call as they are sent. */
export interface EncodedResults {
  /** JSON of `DoneMessage.results`. */
  readonly json: string;
  readonly blobs: readonly Uint8Array[];
  /** The states of the results are among them. */
  readonly hasStates: boolean;
}

/** Encodes the results of a call. Results with a state that cannot be sent, or that are too long, become errors. */
export function encodeResults(results: readonly WorkerResult[]): EncodedResults {
  const parts = results.map((result) => {
    try {
      return encodeResult(result);
    } catch (error) {
      return failed(describeError(error).message);
    }
  });
  const bytes = parts.flatMap(({ blobs }) => blobs).reduce((sum, { byteLength }) => sum + byteLength, 0);
  const encoded = joined(parts);
  const jsonBytes = Buffer.byteLength(encoded.json);
  if (bytes <= MAX_BLOB_BYTES && jsonBytes <= MAX_JSON_BYTES) return encoded;
  const found =
    bytes > MAX_BLOB_BYTES
      ? `${bytes} bytes of audio and state; allowed: ${MAX_BLOB_BYTES}`
      : `${jsonBytes} bytes of JSON; allowed: ${MAX_JSON_BYTES}`;
  return joined(results.map(() => failed(`the results of one call have ${found}`)));
}

interface Part {
  readonly json: string;
  readonly blobs: readonly Uint8Array[];
  readonly hasState: boolean;
}

function joined(parts: readonly Part[]): EncodedResults {
  return {
    json: `[${parts.map(({ json }) => json).join(",")}]`,
    blobs: parts.flatMap(({ blobs }) => blobs),
    hasStates: parts.some(({ hasState }) => hasState),
  };
}

function failed(error: string): Part {
  return { json: JSON.stringify({ error }), blobs: [], hasState: false };
}

function encodeResult({ outputJson, audio, state, ...rest }: WorkerResult): Part {
  const blobs: Uint8Array[] = [];
  const fields: Record<string, unknown> = { ...rest };
  if (audio !== undefined) {
    const { samples, sampleRate } = audio;
    blobs.push(new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength));
    fields["audio"] = { length: samples.length, sampleRate };
  }
  if (state !== undefined) {
    const bytes = serializeState(state);
    blobs.push(bytes);
    fields["state"] = bytes.byteLength;
  }
  const others = JSON.stringify(fields);
  if (outputJson === undefined) return { json: others, blobs, hasState: state !== undefined };
  // The output is JSON already.
  const rests = others === "{}" ? "" : `,${others.slice(1, -1)}`;
  return { json: `{"output":${outputJson}${rests}}`, blobs, hasState: state !== undefined };
}

function serializeState(state: unknown): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(serialize(state));
  } catch (error) {
    const cause = findUncloned(state) ?? describeError(error).message;
    throw new Error(`the model's state cannot be passed between workers by structured clone: ${cause}`);
  }
  if (bytes.byteLength <= MAX_STATE_BYTES) return bytes;
  throw new Error(`the model's state has ${bytes.byteLength} bytes; allowed: ${MAX_STATE_BYTES}`);
}
