import type { Ended, Ending } from "../../protocol/ending.ts";
import { type ErrorCode, type ErrorRow, ERRORS, type ProtocolError } from "../../protocol/errors.ts";
import type { ErrorEvent } from "../../protocol/events.ts";
import type { Fault, Refusal } from "./messages.ts";

/** OpenAI's names of errors, where it has one. */
const CODES: Partial<Record<string, string>> = {
  unsupported_format: "invalid_value",
  format_mismatch: "invalid_value",
  invalid_request: "invalid_value",
  unknown_model: "model_not_found",
  unknown_request: "unknown_event",
  no_stream: "input_audio_buffer_commit_empty",
  idle_timeout: "session_expired",
  start_timeout: "session_expired",
  session_limit: "session_expired",
  unauthorized: "invalid_api_key",
  too_many_sessions: "rate_limit_exceeded",
};

/** What the client is to blame for. */
const CLIENT_FAULTS: readonly string[] = [
  "invalid_json",
  "invalid_request",
  "unknown_request",
  "unsupported_format",
  "format_mismatch",
  "unknown_model",
  "no_stream",
  "audio_before_start",
  "idle_timeout",
  "start_timeout",
  "session_limit",
  "message_too_big",
  "unauthorized",
];

/** Those of a field, whatever is wrong with it. */
const CODES_BY_FIELD: Partial<Record<string, string>> = { intent: "unsupported", model: "invalid_model" };

const FORMAT = "session.audio.input.format";
/** Fields of a start by those of a session. */
const PARAMS: readonly (readonly [of: string, param: string])[] = [
  ["format", FORMAT],
  ["model", "session.audio.input.transcription.model"],
  ["options", "session.audio.input.transcription"],
  ["vad", "session.audio.input.turn_detection"],
];

/** Returns an error of a stream as the client is to read it. */
export function faultOf({ code, message, param }: Pick<ErrorEvent, "code" | "message" | "param">): Fault {
  const isFormat = code === "unsupported_format" || code === "format_mismatch";
  return {
    type: CLIENT_FAULTS.includes(code) ? "invalid_request_error" : "server_error",
    code: codeOf(code, param),
    message,
    param: isFormat ? FORMAT : paramOf(param),
  };
}

function codeOf(code: string, param: string | undefined): string {
  return CODES_BY_FIELD[param ?? ""] ?? CODES[code] ?? code;
}

function paramOf(field: string | undefined): string | null {
  if (field === undefined) return null;
  const [, param = field] = PARAMS.find(([of]) => field === of || field.startsWith(`${of}.`)) ?? [];
  return param;
}

const CLOSES: Partial<Record<Ending, number>> = {
  stop: 1000,
  drain: 1001,
  draining: 1001,
  idle_timeout: 1001,
  start_timeout: 1001,
  session_limit: 1001,
  slow_reader: 1011,
};

/** Returns the close for an ending. 1000 and 1001 are good ends for the SDKs. */
export function closeOf(ending: Ending): Ended {
  const row: ErrorRow | undefined = ending === "stop" || ending === "drain" ? undefined : ERRORS[ending];
  return { ending, code: CLOSES[ending] ?? row?.close ?? 1008, reason: ending === "stop" ? "" : ending };
}

const RATE_LIMITS: readonly ErrorCode[] = ["too_many_sessions"];

/** Returns the body of a refusal. */
export function refusalOf({ code, message, param, row }: ProtocolError): Refusal {
  const isServer = (row.status ?? 500) >= 500;
  const type = RATE_LIMITS.includes(code) ? "rate_limit_error" : isServer ? "server_error" : "invalid_request_error";
  return {
    error: { type, code: codeOf(code, param), message, param: param ?? null },
  };
}
