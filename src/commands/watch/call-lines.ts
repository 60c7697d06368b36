import type { WatchMessage } from "../../dialects/watch/messages.ts";
import { excerpt } from "../../lib/excerpt.ts";
import { parseEvent } from "../../protocol/events.ts";
import { formatOutput } from "../send/output-text.ts";

/**
 * Returns the line for a message about a call: its begin, a final result, an error, or its end. Undefined: there is
 * none. Unprintable characters are escaped, since names and texts come from elsewhere.
 */
export function callLine(message: WatchMessage): string | undefined {
  if (message.type === "watching") return undefined;
  const name = excerpt(message.call, Infinity);
  switch (message.type) {
    case "call": {
      const parameters = Object.entries(message.parameters).map(([key, value]) => `${key}=${value}`);
      const begin = message.joined ? "is open" : "begins";
      return `${name}  ${begin}: ${excerpt([message.dialect, ...parameters].join(", "), Infinity)}`;
    }
    case "call_event": {
      const text = eventText(message.event);
      return text === undefined ? undefined : `${name}  ${text}`;
    }
    case "call_ended":
      return `${name}  ends: ${excerpt(message.reason, Infinity)}`;
  }
}

function eventText(value: object): string | undefined {
  const event = parseEvent(JSON.stringify(value));
  switch (event.type) {
    case "segment":
      if (event.is_final === false) return undefined;
      return `${seconds(event.start_time)} - ${seconds(event.end_time)}  ${formatOutput(event)}`;
    case "data":
      return formatOutput(event);
    case "error":
    case "warning":
      return excerpt(`${event.type} ${event.code}: ${event.message}`, Infinity);
    default:
      return undefined;
  }
}

function seconds(time: number): string {
  return `${time.toFixed(3)} s`;
}
