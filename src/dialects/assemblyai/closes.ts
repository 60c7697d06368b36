import type { Ended, Ending } from "../../protocol/ending.ts";
import { type ErrorCode, type ErrorRow, ERRORS, type ProtocolError } from "../../protocol/errors.ts";
import { closeReason } from "../close-reason.ts";
import type { ErrorMessage } from "./messages.ts";

/** AssemblyAI's codes of what has gone wrong: those of the `Error` and of the close behind it. */
export const SERVER_ERROR = 3005;
const INVALID_INPUT = 3006;
const TOO_LARGE = 3007;
const TOO_LONG = 3008;
const TOO_MANY_SESSIONS = 3009;
const WRONG_AUDIO = 4000;
const NOT_AUTHORIZED = 4001;
const TOO_FAST = 4029;
const IDLE = 4031;
const WRONG_MESSAGE = 4101;
/** The code of WebSocket for a server that may have capacity later, which clients of this API know, too. */
const TRY_AGAIN_LATER = 1013;

const CODES: Partial<Record<ErrorCode, number>> = {
  invalid_json: WRONG_MESSAGE,
  unknown_request: WRONG_MESSAGE,
  invalid_request: WRONG_MESSAGE,
  unsupported_format: WRONG_AUDIO,
  format_mismatch: WRONG_AUDIO,
  too_many_requests: TOO_FAST,
  start_timeout: IDLE,
  idle_timeout: IDLE,
  session_limit: TOO_LONG,
  message_too_big: TOO_LARGE,
  slow_reader: SERVER_ERROR,
  internal: SERVER_ERROR,
  inference_failed: SERVER_ERROR,
  inference_timeout: SERVER_ERROR,
  worker_crashed: SERVER_ERROR,
  model_unavailable: SERVER_ERROR,
  unauthorized: NOT_AUTHORIZED,
};

/** The codes of refusals, in which an invalid request is the query. */
const REFUSALS: Partial<Record<ErrorCode, number>> = {
  unauthorized: NOT_AUTHORIZED,
  origin_not_allowed: NOT_AUTHORIZED,
  host_not_allowed: NOT_AUTHORIZED,
  too_many_sessions: TOO_MANY_SESSIONS,
  unsupported_format: WRONG_AUDIO,
  model_unavailable: TRY_AGAIN_LATER,
  overloaded: TRY_AGAIN_LATER,
  not_ready: TRY_AGAIN_LATER,
  draining: TRY_AGAIN_LATER,
  internal: SERVER_ERROR,
};

/** Returns the close for an ending. Codes of AssemblyAI's own come behind an `Error` with the same code. */
export function closeOf(ending: Ending, message: string): Ended {
  if (ending === "stop") return { ending, code: 1000, reason: "" };
  if (ending === "drain") return { ending, code: 1001, reason: "" };
  const reason = closeReason(ending, message);
  const { close }: ErrorRow = ERRORS[ending];
  const own = CODES[ending];
  if (own === undefined && close !== undefined) return { ending, code: close, reason };
  const code = own ?? INVALID_INPUT;
  const error: ErrorMessage = { type: "Error", error_code: code, error: message === "" ? ending : message };
  return { ending, code, reason, last: [JSON.stringify(error)] };
}

/** Returns the body that refuses a connection. */
export function refusalOf({ code, message }: ProtocolError): ErrorMessage {
  // The field of a start is the parameter of the query.
  const error = message.replace(/^format\./, "");
  return { type: "Error", error_code: REFUSALS[code] ?? INVALID_INPUT, error };
}
