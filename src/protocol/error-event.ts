import { type ErrorCode, type ErrorPlace, type ErrorRow, ERRORS } from "./errors.ts";
import type { ErrorEvent } from "./events.ts";

/** Returns the event that reports an error, which is also the body of an HTTP refusal. */
export function errorEvent(error: ErrorPlace & { readonly code: ErrorCode; readonly message: string }): ErrorEvent {
  const { fatal, retryable, retryAfterMs }: ErrorRow = ERRORS[error.code];
  const retry_after_ms = error.retry_after_ms ?? retryAfterMs;
  return {
    type: "error",
    code: error.code,
    message: error.message,
    fatal: error.fatal ?? fatal,
    retryable,
    ...(retry_after_ms !== undefined && { retry_after_ms }),
    ...(error.param !== undefined && { param: error.param }),
    ...(error.channel !== undefined && { channel: error.channel }),
    ...(error.start_time !== undefined && { start_time: error.start_time }),
    ...(error.end_time !== undefined && { end_time: error.end_time }),
  };
}
