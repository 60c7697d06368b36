import { type WatchMessage, watchMessageSchema } from "../dialects/watch/messages.ts";
import { type FurtherMessages, message } from "../protocol/asyncapi.ts";
import { EXAMPLES } from "../protocol/examples.ts";
import { namedSchemas } from "../protocol/json-schema.ts";
import type { ObjectText } from "../protocol/texts/field-text.ts";

const TYPE = "Names the message.";
const CALL = "Name of the call, which the telephone system has given it.";
const SESSION = "Names the connection of the call: what belongs to one call has the same.";

const TEXTS = {
  WatchingMessage: {
    description: "The first message: what happens from now on is reported.",
    fields: { type: TYPE, call: "The name that was asked for; null: all calls of the caller." },
  },
  CallMessage: {
    description: "A call begins, or was open before it was watched.",
    fields: {
      type: TYPE,
      call: CALL,
      session_id: SESSION,
      dialect: "The wire language that carries the call.",
      parameters: "What the telephone system was given for this call, by name.",
      joined: "It was open before. What was reported of it before is not repeated.",
    },
  },
  CallEventMessage: {
    description: "An event of the stream of a call: `started`, `active`, `segment` and so on, to `stopped`.",
    fields: {
      type: TYPE,
      call: CALL,
      session_id: SESSION,
      event: { title: "StreamEvent", description: "The event, as a client of the stream would get it." },
    },
  },
  CallEndedMessage: {
    description: "The last message of a call.",
    fields: {
      type: TYPE,
      call: CALL,
      session_id: SESSION,
      reason: "`stop`, `drain`, or the code of the error that ended it.",
    },
  },
} as const satisfies Record<string, ObjectText>;

const TITLES: Readonly<Record<WatchMessage["type"], string>> = {
  watching: "Calls are watched from now on",
  call: "A call began",
  call_event: "An event of a call",
  call_ended: "A call is over",
};

const SAMPLE = { call: "CA0a1b2c3d4e5f60718293a4b5c6d7e8f9", session_id: "q3KuVZJ0RkqjC2mXo1yLxw" };
const [SEGMENT = {}] = EXAMPLES.segment;

const [watching, call, callEvent, callEnded] = watchMessageSchema.options;
const SCHEMAS = {
  WatchingMessage: watching,
  CallMessage: call,
  CallEventMessage: callEvent,
  CallEndedMessage: callEnded,
} as const;

/** What a connection that watches calls sends and gets. */
export const CALLS_RECEIVED: readonly string[] = ["keep_alive"];
export const CALLS_SENT: readonly string[] = [...Object.keys(TITLES), "error", "warning"];

/** The messages about calls, for the API description. */
export const CALL_MESSAGES: FurtherMessages = {
  messages: {
    watching: message("watching", TITLES.watching, "WatchingMessage", [{ type: "watching", call: null }]),
    call: message("call", TITLES.call, "CallMessage", [
      { type: "call", ...SAMPLE, dialect: "twilio", parameters: { customer: "42" }, joined: false },
    ]),
    call_event: message("call_event", TITLES.call_event, "CallEventMessage", [
      { type: "call_event", ...SAMPLE, event: SEGMENT },
    ]),
    call_ended: message("call_ended", TITLES.call_ended, "CallEndedMessage", [
      { type: "call_ended", ...SAMPLE, reason: "stop" },
    ]),
  },
  schemas: namedSchemas(SCHEMAS, { texts: TEXTS, typeMode: "output", target: "draft-07" }),
};
