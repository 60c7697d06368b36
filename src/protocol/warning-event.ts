import { type WarningCode, WARNINGS } from "./errors.ts";
import type { Warning } from "./events.ts";

/** Returns the event that reports a warning. @param channel -1: of no single channel */
export function warningEvent(code: WarningCode, channel = -1): Warning {
  return { type: "warning", code, message: WARNINGS[code], ...(channel >= 0 && { channel }) };
}
