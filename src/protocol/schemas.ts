import { EVENTS } from "./events.ts";
import { type Json, namedSchemas, propertiesOf } from "./json-schema.ts";
import { REQUESTS } from "./requests.ts";
import { EVENT_TEXTS } from "./texts/event-texts.ts";
import { REQUEST_TEXTS } from "./texts/request-texts.ts";

const { start, stop, flush, keep_alive } = REQUESTS;
const { started, segment, stopped } = EVENTS;

const REQUEST_SCHEMAS = {
  StartRequest: start,
  AudioFormat: start.entries.format,
  VadSettings: start.entries.vad.wrapped,
  ResumeRequest: start.entries.resume.wrapped,
  StopRequest: stop,
  FlushRequest: flush,
  KeepAliveRequest: keep_alive,
} as const;

/** Objects in events. */
const EVENT_PARTS = {
  AcceptedFormat: started.entries.format,
  EffectiveVadSettings: started.entries.vad.wrapped,
  ConnectionLimits: started.entries.limits,
  SegmentTiming: segment.entries.timing.wrapped,
  ResultAudio: segment.entries.audio.wrapped,
  ChannelLedger: stopped.entries.channels.item,
} as const;

const EVENT_NAMES = Object.keys(EVENTS) as (keyof typeof EVENTS)[];

/** JSON schemas of the requests, by name: `StartRequest`. */
export function requestSchemas(): Record<string, Json> {
  const schemas = namedSchemas(REQUEST_SCHEMAS, { texts: REQUEST_TEXTS, typeMode: "input", target: "draft-07" });
  return Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, acceptingNull(schema)]));
}

/** JSON schemas of the events, by name: `StartedEvent`. */
export function eventSchemas(target: "draft-07" | "draft-2020-12" = "draft-07"): Record<string, Json> {
  const events = Object.fromEntries(EVENT_NAMES.map((name) => [eventSchemaName(name), EVENTS[name]]));
  return namedSchemas({ ...events, ...EVENT_PARTS }, { texts: EVENT_TEXTS, typeMode: "output", target });
}

/** Returns the name of the schema of a message. */
export function requestSchemaName(request: keyof typeof REQUESTS): string {
  return `${pascal(request)}Request`;
}

/** Returns the name of the schema of an event. */
export function eventSchemaName(event: keyof typeof EVENTS): string {
  return `${pascal(event)}Event`;
}

function pascal(name: string): string {
  return name.replace(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** What describes a field beside its type. */
const ANNOTATION = /^(?:description|default|examples|x-.*)$/;

/** Lets every optional field be null too, as `parseRequest` does for all requests. */
function acceptingNull(schema: Json): Json {
  const required = new Set((schema["required"] ?? []) as string[]);
  const fields = Object.entries(propertiesOf(schema)).map(([key, field]) => [
    key,
    required.has(key) ? field : orNull(field),
  ]);
  return { ...schema, properties: Object.fromEntries(fields) };
}

function orNull(field: Json): Json {
  const entries = Object.entries(field);
  const about = entries.filter(([key]) => ANNOTATION.test(key));
  const type = entries.filter(([key]) => !ANNOTATION.test(key));
  return { ...Object.fromEntries(about), anyOf: [Object.fromEntries(type), { type: "null" }] };
}
