import type { Ending } from "../../protocol/ending.ts";
import type { ErrorCode } from "../../protocol/errors.ts";

/** Codes of https://grpc.github.io/grpc/core/md_doc_statuscodes.html that a call of ours can end with. */
export const OK = 0;
const INVALID_ARGUMENT = 3;
const DEADLINE_EXCEEDED = 4;
const PERMISSION_DENIED = 7;
const RESOURCE_EXHAUSTED = 8;
const FAILED_PRECONDITION = 9;
const ABORTED = 10;
const INTERNAL = 13;
const UNAVAILABLE = 14;
const UNAUTHENTICATED = 16;

/** The status of each error. */
const STATUS: Readonly<Record<ErrorCode, number>> = {
  invalid_json: INVALID_ARGUMENT,
  invalid_request: INVALID_ARGUMENT,
  unknown_request: INVALID_ARGUMENT,
  unsupported_format: INVALID_ARGUMENT,
  unknown_model: INVALID_ARGUMENT,
  format_mismatch: INVALID_ARGUMENT,
  message_too_big: RESOURCE_EXHAUSTED,
  too_many_requests: RESOURCE_EXHAUSTED,
  overloaded: RESOURCE_EXHAUSTED,
  too_many_sessions: RESOURCE_EXHAUSTED,
  no_stream: FAILED_PRECONDITION,
  audio_before_start: FAILED_PRECONDITION,
  upgrade_required: FAILED_PRECONDITION,
  inference_failed: INTERNAL,
  worker_crashed: INTERNAL,
  internal: INTERNAL,
  inference_timeout: DEADLINE_EXCEEDED,
  start_timeout: DEADLINE_EXCEEDED,
  idle_timeout: ABORTED,
  session_limit: ABORTED,
  slow_reader: ABORTED,
  resumed: ABORTED,
  model_unavailable: UNAVAILABLE,
  not_ready: UNAVAILABLE,
  draining: UNAVAILABLE,
  unauthorized: UNAUTHENTICATED,
  origin_not_allowed: PERMISSION_DENIED,
  host_not_allowed: PERMISSION_DENIED,
};

/** Returns the status of gRPC for the end of a session. */
export function statusOf(ending: Ending): number {
  if (ending === "stop") return OK;
  return ending === "drain" ? UNAVAILABLE : STATUS[ending];
}
