import { toJsonSchema } from "@valibot/to-json-schema";
import type * as v from "valibot";

import { ERRORS } from "./errors.ts";
import { errorSchema, EVENT_TITLES, EVENTS } from "./events.ts";
import { EXAMPLES } from "./examples.ts";
import { REQUEST_TITLES, REQUESTS } from "./requests.ts";
import { PROTOCOL_VERSION, SUBPROTOCOL } from "./version.ts";

type Json = Record<string, unknown>;

/** A WebSocket route. All routes have the same messages. */
export interface Channel {
  readonly name: string;
  /** Path of the URL. */
  readonly address: string;
  /** One sentence or two. */
  readonly description: string;
}

const SENT = [...Object.keys(REQUESTS), "audio"];
const RECEIVED = [...Object.keys(EVENTS), "result_audio"];

/**
 * Returns the AsyncAPI 3.0 document of the protocol, derived from the schemas that validate its messages.
 * @param version the server's version
 */
export function asyncapi(version: string, channels: readonly Channel[]): Json {
  const requests = messages(REQUESTS, REQUEST_TITLES, (schema) => acceptingNull(draft(schema, "input")));
  const events = messages(EVENTS, EVENT_TITLES, (schema) => draft(schema, "output"));
  return {
    asyncapi: "3.0.0",
    info: {
      title: "Streamer",
      version,
      description:
        `Wire protocol ${PROTOCOL_VERSION}, subprotocol ${SUBPROTOCOL}. ` +
        "Text messages are JSON, binary messages are audio. " +
        "A field that is null counts as absent. `started` carries the limits.",
      license: { name: "Apache-2.0" },
    },
    defaultContentType: "application/json",
    channels: Object.fromEntries(
      channels.map(({ name, address, description }) => [name, { address, description, messages: channelMessages() }]),
    ),
    operations: Object.fromEntries(channels.flatMap(({ name }) => operations(name))),
    components: { messages: { ...requests, ...events, audio: audioMessage(), result_audio: resultAudioMessage() } },
    "x-errors": ERRORS,
    "x-http-error": draft(errorSchema, "output"),
  };
}

function channelMessages(): Json {
  return Object.fromEntries([...SENT, ...RECEIVED].map((name) => [name, reference(`components/messages/${name}`)]));
}

/** The operations of a channel. AsyncAPI describes an application, here the server: it receives what clients send. */
function operations(channel: string): [string, Json][] {
  const operation = (action: string, names: string[]) => ({
    action,
    channel: reference(`channels/${channel}`),
    messages: names.map((name) => reference(`channels/${channel}/messages/${name}`)),
  });
  return [
    [`${channel}_receive`, operation("receive", SENT)],
    [`${channel}_send`, operation("send", RECEIVED)],
  ];
}

function reference(path: string): Json {
  return { $ref: `#/${path}` };
}

function messages<Name extends keyof typeof EXAMPLES>(
  schemas: Record<Name, v.GenericSchema>,
  titles: Readonly<Record<Name, string>>,
  payload: (schema: v.GenericSchema) => Json,
): Json {
  const names = Object.keys(schemas) as Name[];
  return Object.fromEntries(
    names.map((name) => {
      const examples = EXAMPLES[name].map((example) => ({ payload: example }));
      return [name, { name, title: titles[name], payload: payload(schemas[name]), examples }];
    }),
  );
}

function audioMessage(): Json {
  return {
    name: "audio",
    title:
      "Interleaved little-endian samples in the format of the start; a message may end anywhere, even inside a sample",
    contentType: "application/octet-stream",
    payload: { type: "string", format: "binary" },
  };
}

function resultAudioMessage(): Json {
  return {
    name: "result_audio",
    title: "Audio that the event before announced in its `audio` field: mono 32-bit float, little-endian",
    contentType: "application/octet-stream",
    payload: { type: "string", format: "binary" },
  };
}

function draft(schema: v.GenericSchema, typeMode: "input" | "output"): Json {
  const { $schema: _, ...json } = toJsonSchema(schema, { typeMode, target: "draft-07" }) as Json;
  return json;
}

/** Lets every optional field be null too, as `parseRequest` does for all requests. */
function acceptingNull(schema: Json): Json {
  const properties = schema["properties"];
  if (typeof properties !== "object" || properties === null) return schema;
  const required = Array.isArray(schema["required"]) ? schema["required"] : [];
  const fields = Object.entries(properties as Record<string, Json>).map(([key, field]) => {
    const inner = acceptingNull(field);
    return [key, required.includes(key) ? inner : { anyOf: [inner, { type: "null" }] }];
  });
  return { ...schema, properties: Object.fromEntries(fields) };
}
