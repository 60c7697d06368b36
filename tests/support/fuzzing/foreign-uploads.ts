// Files over POST as no client sends them, for fuzzing over the wire.

import * as v from "valibot";

import { recordedSchema } from "../../../src/dialects/deepgram/files/messages.ts";
import { refusalSchema } from "../../../src/dialects/deepgram/messages.ts";
import { errorSchema } from "../../../src/dialects/openai/files/messages.ts";
import { encode, seeded, speech, wav } from "../audio.ts";
import { S16_MONO } from "../requests.ts";
import { RUBBISH } from "./foreign-messages.ts";

/** What is sent to a path, and the answers that clients can read. */
interface Upload {
  readonly paths: readonly string[];
  /** Returns headers and body. */
  readonly request: (next: () => number) => { readonly type: string; readonly body: Uint8Array };
  readonly refusal: v.GenericSchema;
  /** Schema of a JSON answer; undefined: its form depends on the request. */
  readonly answer?: v.GenericSchema;
}

const FILE = wav(S16_MONO, encode("s16", speech([0.5])));
const TYPES = [
  "audio/wav",
  "application/octet-stream",
  "text/plain",
  "application/json",
  "",
  "audio/wav; charset=\u00e4",
];
const FORMATS = ["json", "text", "verbose_json", "srt", "vtt", "sing", ""];

/** The simulated model fails by chance, and nothing is left of a file then. */
const MODEL_FAILURE = "simulated failure";

/** By the name of the dialect. */
const UPLOADS: Readonly<Record<string, Upload>> = {
  deepgram: {
    paths: [
      "/v1/listen",
      "/v1/listen?encoding=linear16&sample_rate=16000&utterances=true",
      "/v1/listen?sample_rate=1e9",
    ],
    request: (next) => ({ type: pick(next, TYPES), body: damaged(next, FILE) }),
    refusal: refusalSchema,
    answer: recordedSchema,
  },
  openai: {
    paths: ["/v1/audio/transcriptions"],
    request: (next) => {
      const type = `multipart/form-data; boundary=${pick(next, ["x", "x", "x", '"x"', "", "other", "-".repeat(80)])}`;
      const head = (name: string, rest = "") => `--x\r\nContent-Disposition: form-data; name="${name}"${rest}\r\n\r\n`;
      const fields = ["model", "language", "prompt", "response_format", "timestamp_granularities[]", "__proto__"];
      const values = [...FORMATS, "whisper-1", "1e999", "word", ...RUBBISH.slice(0, 20)];
      const parts = fields.filter(() => next() < 0.3).map((name) => `${head(name)}${pick(next, values)}\r\n`);
      const file = [Buffer.from(head("file", '; filename="a.wav"')), damaged(next, FILE), Buffer.from("\r\n")];
      const before = Buffer.from(parts.join(""));
      const whole = [before, ...(next() < 0.9 ? file : []), ...(next() < 0.1 ? file : []), Buffer.from("--x--\r\n")];
      return { type: next() < 0.95 ? type : pick(next, TYPES), body: damaged(next, Buffer.concat(whole)) };
    },
    refusal: errorSchema,
  },
};

export const UPLOAD_NAMES = Object.keys(UPLOADS);

/**
 * Sends one hostile file. Throws an error that has its seed.
 * @param name of the dialect @param seed decides everything that the client does
 */
export async function upload(url: string, name: string, seed: number): Promise<void> {
  const next = seeded(seed);
  const kind = UPLOADS[name];
  if (kind === undefined) throw new Error(`UPLOADS has nothing for ${name}`);
  const path = pick(next, kind.paths);
  const { type, body } = kind.request(next);
  const leaves = next() < 0.1;
  const signal = leaves ? AbortSignal.timeout(Math.floor(next() * 20) + 1) : AbortSignal.timeout(240_000);
  try {
    const headers = type === "" ? {} : { "content-type": encodeURI(type) };
    const response = await fetch(`${url}${path}`, { method: "POST", headers, body, signal });
    const text = await response.text();
    const isFault = response.status >= 500 && response.status !== 503 && !text.includes(MODEL_FAILURE);
    if (isFault) throw new Error(`status ${response.status}: ${text}`);
    if (response.status !== 200) v.parse(kind.refusal, JSON.parse(text));
    else if (kind.answer !== undefined) v.parse(kind.answer, JSON.parse(text));
  } catch (error) {
    if (leaves && error instanceof DOMException) return;
    throw new Error(`POST ${path} with seed ${seed}: ${String(error)}`, { cause: error });
  }
}

/** Returns bytes as they are, cut, or with one of them changed; or rubbish. */
function damaged(next: () => number, bytes: Uint8Array): Uint8Array {
  const roll = next();
  if (roll < 0.4) return bytes;
  if (roll < 0.5) return Buffer.from(pick(next, RUBBISH));
  const at = Math.floor(next() * bytes.length);
  if (roll < 0.7) return bytes.subarray(0, at);
  const changed = Buffer.from(bytes);
  // Most that matters stands at the beginning.
  changed[next() < 0.5 ? at : Math.floor(next() * Math.min(200, bytes.length))] = Math.floor(next() * 256);
  return changed;
}

function pick<Value>(next: () => number, values: readonly Value[]): Value {
  return values[Math.floor(next() * values.length)]!;
}
