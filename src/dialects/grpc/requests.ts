import { describeValue } from "../../lib/excerpt.ts";
import { messageOf } from "../../lib/thrown.ts";
import { PATTERNS } from "../../pipeline/patterns.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import type { Message } from "../dialect.ts";
import { audioOf } from "./audio-field.ts";
import { contractOfGrpc, type Plain } from "./contract.ts";
import { fromStruct, type Struct } from "./struct.ts";

/** Number of the field `audio` of StreamRequest. */
const AUDIO_FIELD = 2;
const ALLOWED = "a StreamRequest with one of start, audio, stop, flush, keep_alive";
const PATTERN_ALLOWED = Object.keys(PATTERNS)
  .map((name) => `"${name}"`)
  .join(", ");

/** Fields that protobuf leaves out when they are zero, and that the protocol requires. */
const FORMAT_ZEROS = { channels: 0, sample_rate: 0, bit_depth: 0, is_float: false };

/**
 * Returns what a StreamRequest says in the native protocol: audio, as a view of `bytes`, or the text of a request, whose
 * start may have a `pattern`. Throws ProtocolError `invalid_request` for what is no StreamRequest.
 */
export function readGrpcRequest(bytes: Uint8Array): Message {
  const audio = audioOf(bytes, AUDIO_FIELD);
  if (audio !== undefined) return audio;
  const { kind, value } = decode(bytes);
  if (value instanceof Uint8Array) return value;
  return JSON.stringify({ ...(kind === "start" ? startFields(value as Plain) : (value as Plain)), request: kind });
}

/**
 * Returns the pattern of the first message of a call. Throws ProtocolError `invalid_request` when it is no start of a
 * pattern that there is.
 */
export function patternOf(first: Message): string {
  const { request = "audio", pattern }: Plain = typeof first === "string" ? (JSON.parse(first) as Plain) : {};
  if (request !== "start") {
    const problem = `found ${String(request)} as the first message; allowed: start`;
    throw new ProtocolError("invalid_request", problem, { param: "request" });
  }
  if (typeof pattern === "string" && Object.hasOwn(PATTERNS, pattern)) return pattern;
  const problem = `pattern: found ${describeValue(pattern)}; allowed: ${PATTERN_ALLOWED}`;
  throw new ProtocolError("invalid_request", problem, { param: "pattern" });
}

function decode(bytes: Uint8Array): { kind: string; value: unknown } {
  const { request } = contractOfGrpc();
  let message: Plain;
  try {
    message = request.toObject(request.decode(bytes), { longs: Number, oneofs: true });
  } catch (error) {
    throw new ProtocolError("invalid_request", `found no protobuf (${messageOf(error)}); allowed: ${ALLOWED}`);
  }
  const kind = message["request"];
  if (typeof kind === "string") return { kind, value: message[kind] };
  throw new ProtocolError("invalid_request", `found none of its fields; allowed: ${ALLOWED}`, { param: "request" });
}

function startFields({ pattern, format, vad, options, resume, ...fields }: Plain): Plain {
  return {
    ...present(fields),
    // The default of a text counts as no pattern.
    ...(pattern !== "" && { pattern }),
    ...(isPlain(format) && { format: { ...FORMAT_ZEROS, ...present(format) } }),
    ...(isPlain(vad) && { vad: present(vad) }),
    ...(isPlain(options) && { options: fromStruct(options as Struct) }),
    ...(isPlain(resume) && { resume: { token: "", ...resume } }),
  };
}

/** The fields without those that protobufjs adds for each optional field that is set. */
function present(fields: Plain): Plain {
  return Object.fromEntries(Object.entries(fields).filter(([key]) => !key.startsWith("_")));
}

function isPlain(value: unknown): value is Plain {
  return typeof value === "object" && value !== null;
}
