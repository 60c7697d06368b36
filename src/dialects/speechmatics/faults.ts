import type { Ended, Ending } from "../../protocol/ending.ts";
import { type ErrorCode, type ErrorRow, ERRORS } from "../../protocol/errors.ts";
import type { ErrorMessage, ErrorType } from "./messages.ts";

/** Speechmatics' names of what has gone wrong. */
const TYPES: Readonly<Record<ErrorCode, ErrorType>> = {
  invalid_json: "invalid_message",
  invalid_request: "invalid_message",
  unknown_request: "invalid_message",
  unsupported_format: "invalid_audio_type",
  unknown_model: "invalid_model",
  too_many_requests: "quota_exceeded",
  no_stream: "protocol_error",
  audio_before_start: "protocol_error",
  inference_failed: "job_error",
  inference_timeout: "job_error",
  worker_crashed: "job_error",
  model_unavailable: "job_error",
  format_mismatch: "invalid_audio_type",
  start_timeout: "idle_timeout",
  idle_timeout: "idle_timeout",
  session_limit: "session_timeout",
  slow_reader: "job_error",
  resumed: "job_error",
  message_too_big: "invalid_message",
  internal: "job_error",
  overloaded: "quota_exceeded",
  unauthorized: "not_authorised",
  origin_not_allowed: "not_allowed",
  host_not_allowed: "not_allowed",
  upgrade_required: "protocol_error",
  too_many_sessions: "quota_exceeded",
  not_ready: "job_error",
  draining: "job_error",
};

/** Names of an `invalid_request` by the beginning of its field. `message` itself: it comes in the wrong order. */
const TYPES_OF_FIELDS: readonly (readonly [string, ErrorType])[] = [
  ["message", "protocol_error"],
  ["model", "invalid_model"],
  ["transcription_config", "invalid_config"],
  ["options", "invalid_config"],
];

/** Faults of a server, which has no close code for them on its native connections. */
const SERVER_FAULTS: readonly Ending[] = [
  "slow_reader",
  "inference_failed",
  "inference_timeout",
  "worker_crashed",
  "model_unavailable",
];

/** Returns the message for an error. @param param the field that it is about */
export function errorMessage(code: ErrorCode, reason: string, param = ""): ErrorMessage {
  const named = code === "invalid_request" ? TYPES_OF_FIELDS.find(([field]) => param.startsWith(field)) : undefined;
  return { message: "Error", type: named?.[1] ?? TYPES[code], reason: reason.toWellFormed() };
}

/** Returns the close after this error. */
export function closeAfter(ending: ErrorCode, error: ErrorMessage): Ended {
  const { close = SERVER_FAULTS.includes(ending) ? 1011 : 1008 }: ErrorRow = ERRORS[ending];
  const code = ending === "slow_reader" ? 1011 : close;
  return { ending, code, reason: error.type, last: [JSON.stringify(error)] };
}
