import type { ErrorCode } from "../protocol/errors.ts";
import type { StopReason } from "../protocol/events.ts";

const LIMITS: readonly ErrorCode[] = [
  "start_timeout",
  "idle_timeout",
  "session_limit",
  "slow_reader",
  "message_too_big",
];

/** The `reason` of `stopped` after a fatal error. */
export function stopReason(code: ErrorCode): StopReason {
  if (code === "draining") return "drain";
  return LIMITS.includes(code) ? "limit" : "error";
}
