import type { ServerEvent } from "../../src/protocol/events.ts";

/** Returns an event in short: its type and code or reason, such as `active`, `error no_stream` and `stopped limit`. */
export function summarize(event: ServerEvent): string {
  switch (event.type) {
    case "error":
    case "warning":
      return `${event.type} ${event.code}`;
    case "stopped":
      return `stopped ${event.reason}`;
    case "segment":
      return event.is_final === false ? "interim" : "segment";
    default:
      return event.type;
  }
}
