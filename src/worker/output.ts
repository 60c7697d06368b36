/** A result as it leaves the worker: fields as JSON text, sound apart. */
export interface CheckedOutput {
  readonly json: string;
  readonly audio?: { readonly samples: Float32Array; readonly sampleRate: number };
}

/** Longest result, in characters of JSON: more than this would not fit a message to the client. */
export const MAX_OUTPUT_LENGTH = 512 * 1024;

/** Longest sound of one result, in samples: 32 MiB, which a connection's buffer is sure to have room for. */
export const MAX_AUDIO_SAMPLES = 8 * 1024 * 1024;

const MAX_DEPTH = 32;
const RESERVED = ["type", "channel", "start_time", "end_time", "is_final", "timing"];

/** Makes sure that a model's output can be sent. Throws with a sentence for the model's author when it is no plain object, uses a
 *  name of the protocol, or holds what JSON cannot carry (and would silently change, such as NaN to null).
 *  @param sampleRate of `audio` when the model gives it as a bare `Float32Array`. */
export function checkOutput(output: unknown, sampleRate: number): CheckedOutput {
  if (!isPlain(output)) throw new Error(`the model's output should be a plain object, not ${describe(output)}`);
  for (const name of RESERVED) {
    if (name in output) throw new Error(`the model's output has a field "${name}", a name that the protocol needs`);
  }
  const { audio, ...fields } = output;
  checkValue(fields, "the output", 0);
  const json = JSON.stringify(fields);
  if (json.length > MAX_OUTPUT_LENGTH) {
    throw new Error(`the model's output is ${json.length} characters long; at most ${MAX_OUTPUT_LENGTH} can be sent`);
  }
  return audio === undefined ? { json } : { json, audio: checkAudio(audio, sampleRate) };
}

function checkAudio(audio: unknown, sampleRate: number): { samples: Float32Array; sampleRate: number } {
  if (audio instanceof Float32Array) return { samples: copied(audio), sampleRate };
  if (isPlain(audio)) {
    const { samples, sample_rate: rate } = audio;
    if (samples instanceof Float32Array && typeof rate === "number" && Number.isInteger(rate) && rate > 0) {
      return { samples: copied(samples), sampleRate: rate };
    }
  }
  throw new Error(`the output's "audio" should be a Float32Array or { samples: Float32Array, sample_rate }`);
}

/** It may be a view of the lent input, or of something large. */
function copied(samples: Float32Array): Float32Array {
  if (samples.length > MAX_AUDIO_SAMPLES) {
    throw new Error(
      `the output's "audio" has ${samples.length} samples; at most ${MAX_AUDIO_SAMPLES} can be sent at once`,
    );
  }
  return samples.slice();
}

function checkValue(value: unknown, place: string, depth: number): void {
  if (depth > MAX_DEPTH) throw new Error(`${place} is nested deeper than ${MAX_DEPTH} levels, or contains itself`);
  switch (typeof value) {
    case "string":
    case "boolean":
    case "undefined":
      return;
    case "number":
      if (!Number.isFinite(value)) throw new Error(`${place} is ${value}, which JSON cannot carry`);
      return;
    case "object":
      if (value === null) return;
      if (Array.isArray(value)) {
        for (let i = 0; i < value.length; i++) checkValue(value[i], `${place}[${i}]`, depth + 1);
        return;
      }
      if (isPlain(value)) {
        for (const key of Object.keys(value))
          checkValue(value[key], depth === 0 ? `"${key}"` : `${place}.${key}`, depth + 1);
        return;
      }
  }
  throw new Error(`${place} is ${describe(value)}, which JSON cannot carry`);
}

function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value !== "object") return `a ${typeof value}`;
  return Array.isArray(value) ? "an array" : `a ${value.constructor?.name ?? "strange object"}`;
}
