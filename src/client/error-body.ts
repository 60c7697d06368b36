import { type ErrorEvent, parseEvent } from "../protocol/events.ts";

/** Returns the error event in the body of a refusal; undefined: there is none, because a proxy has answered. */
export function errorIn(body: string): ErrorEvent | undefined {
  try {
    const event = parseEvent(body);
    return event.type === "error" ? event : undefined;
  } catch {
    return undefined;
  }
}
