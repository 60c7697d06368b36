import { MAX_SAMPLE_RATE } from "../lib/sample-format.ts";
import type { ResultAudio } from "../model/job.ts";
import { RESERVED_FIELDS } from "../protocol/events.ts";
import type { WorkerResult } from "./messages.ts";

/** Longest output in characters of JSON, so that it fits in one message to the client. */
export const MAX_OUTPUT_LENGTH = 512 * 1024;

/** Longest audio of one output: 32 MiB of samples, which fit in the buffer of a connection. */
export const MAX_AUDIO_SAMPLES = 8 * 1024 * 1024;

const MAX_DEPTH = 32;

/**
 * Checks an output of a model and encodes it. Throws when it is not a plain object, has a reserved name, or contains a
 * value that JSON would change or drop, such as NaN. The message is for the author of the model.
 * @param sampleRate the rate of `audio` that is a bare `Float32Array`, Hz
 */
export function checkOutput(output: unknown, sampleRate: number): WorkerResult {
  if (!isPlain(output)) throw new Error(`the model's output must be a plain object, not ${describeKind(output)}`);
  const { audio, ...fields } = output;
  for (const name of RESERVED_FIELDS) {
    if (name in fields) throw new Error(`the model's output has a field "${name}", which is reserved by the protocol`);
  }
  checkValue(fields, "the output", 0);
  const outputJson = JSON.stringify(fields);
  if (outputJson.length > MAX_OUTPUT_LENGTH) {
    throw new Error(`the model's output has ${outputJson.length} characters of JSON; allowed: ${MAX_OUTPUT_LENGTH}`);
  }
  return audio === undefined ? { outputJson } : { outputJson, audio: checkAudio(audio, sampleRate) };
}

function checkAudio(audio: unknown, sampleRate: number): ResultAudio {
  if (audio instanceof Float32Array) return { samples: copySamples(audio), sampleRate };
  if (isPlain(audio)) {
    const { samples, sample_rate: rate } = audio;
    if (samples instanceof Float32Array && typeof rate === "number" && Number.isInteger(rate) && rate > 0) {
      if (rate > MAX_SAMPLE_RATE) {
        throw new Error(`the output's "audio" has the sample_rate ${rate}; allowed: 1 to ${MAX_SAMPLE_RATE} Hz`);
      }
      return { samples: copySamples(samples), sampleRate: rate };
    }
  }
  throw new Error(`the output's "audio" must be a Float32Array or { samples: Float32Array, sample_rate }`);
}

/** Copies the samples: they may be a view of the call's audio, or of a large buffer. */
function copySamples(samples: Float32Array): Float32Array {
  if (samples.length > MAX_AUDIO_SAMPLES) {
    throw new Error(`the output's "audio" has ${samples.length} samples; allowed: ${MAX_AUDIO_SAMPLES}`);
  }
  return samples.slice();
}

function checkValue(value: unknown, path: string, depth: number): void {
  if (depth > MAX_DEPTH) throw new Error(`${path} is nested deeper than ${MAX_DEPTH} levels, or contains itself`);
  switch (typeof value) {
    case "string":
    case "boolean":
    case "undefined":
      return;
    case "number":
      if (!Number.isFinite(value)) throw new Error(`${path} is ${value}, which JSON cannot represent`);
      return;
    case "object":
      if (value === null) return;
      if (Array.isArray(value)) {
        for (let i = 0; i < value.length; i++) checkValue(value[i], `${path}[${i}]`, depth + 1);
        return;
      }
      if (isPlain(value)) {
        for (const key of Object.keys(value))
          checkValue(value[key], depth === 0 ? `"${key}"` : `${path}.${key}`, depth + 1);
        return;
      }
  }
  throw new Error(`${path} is ${describeKind(value)}, which JSON cannot represent`);
}

/** Returns whether a value is an object of no class. */
export function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function describeKind(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value !== "object") return `a ${typeof value}`;
  return Array.isArray(value) ? "an array" : `a ${value.constructor?.name ?? "strange object"}`;
}
