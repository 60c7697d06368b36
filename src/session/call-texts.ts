import type { CallDetails } from "../dialects/calls.ts";
import type { WatchMessage } from "../dialects/watch/messages.ts";
import type { ServerEvent } from "../protocol/events.ts";

/** A call, as messages to those who watch it name it. */
interface NamedCall {
  readonly session: string;
  readonly dialect: string;
  readonly details: CallDetails;
}

/** Returns a message for those who watch calls. */
export function textOf(message: WatchMessage): string {
  return JSON.stringify(message);
}

/** Returns the message that a call is open. @param joined it was open before it was watched */
export function beginText({ details, session, dialect }: NamedCall, joined: boolean): string {
  const { call, parameters = {} } = details;
  return textOf({ type: "call", call, session_id: session, dialect, parameters, joined });
}

/** Returns the message with an event of a call. */
export function eventText({ details, session }: NamedCall, event: ServerEvent): string {
  return textOf({ type: "call_event", call: details.call, session_id: session, event: withoutAudio(event) });
}

/** The audio of a result is binary in the native protocol, and is not for those who watch. */
export function withoutAudio(event: ServerEvent): ServerEvent {
  if (!("audio" in event)) return event;
  const { audio: _, ...rest } = event;
  return rest as ServerEvent;
}
