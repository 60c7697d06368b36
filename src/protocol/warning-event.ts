import type { Warning } from "./events.ts";
import { type WarningCode, WARNINGS } from "./warnings.ts";

/**
 * Returns the event that reports a warning.
 * @param channel -1: of no single channel
 * @param message default: that of the code
 */
export function warningEvent(code: WarningCode, channel = -1, message: string = WARNINGS[code]): Warning {
  return { type: "warning", code, message, ...(channel >= 0 && { channel }) };
}
