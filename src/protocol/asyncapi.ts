import { SAMPLE_FORMAT_NAMES, SAMPLE_FORMATS, type SampleLayout } from "../lib/sample-format.ts";
import { closeCodes } from "./close-codes.ts";
import { ERRORS } from "./errors.ts";
import { EVENT_TITLES, EVENTS } from "./events.ts";
import { EXAMPLES } from "./examples.ts";
import { FEATURES } from "./features.ts";
import type { Json } from "./json-schema.ts";
import { schemaReference } from "./json-schema.ts";
import { REQUEST_TITLES, REQUESTS } from "./requests.ts";
import { eventSchemaName, eventSchemas, requestSchemaName, requestSchemas } from "./schemas.ts";
import { PROTOCOL_VERSION, SUBPROTOCOL } from "./version.ts";
import { WARNINGS } from "./warnings.ts";

/** A WebSocket route. */
export interface Channel {
  readonly name: string;
  /** Path of the URL. */
  readonly address: string;
  /** One sentence or two. */
  readonly description: string;
  /** Parameters of the query beside `ticket`, with their JSON schemas. */
  readonly query?: Readonly<Record<string, Json>>;
  /** Names of the messages that clients send, and that they get. Default: those of streams. */
  readonly receives?: readonly string[];
  readonly sends?: readonly string[];
}

/** Messages beside those of streams. */
export interface FurtherMessages {
  readonly messages: Readonly<Record<string, Json>>;
  readonly schemas: Readonly<Record<string, Json>>;
}

const SENT: readonly string[] = [...Object.keys(REQUESTS), "audio"];
const RECEIVED: readonly string[] = [...Object.keys(EVENTS), "result_audio"];
/** Where a server listens unless it is configured otherwise. */
const DEFAULT_ADDRESS = "localhost:8080";

/**
 * Returns the AsyncAPI 3.0 document of the protocol, derived from the schemas that validate its messages.
 * @param version the server's version
 */
export function asyncapi(version: string, channels: readonly Channel[], further?: FurtherMessages): Json {
  return {
    asyncapi: "3.0.0",
    info: {
      title: "Streamer",
      version,
      description:
        `Wire protocol ${PROTOCOL_VERSION}, subprotocol ${SUBPROTOCOL}. ` +
        "Text messages are JSON, binary messages are audio. " +
        "A field that is null counts as absent. Unknown fields are refused in requests, and to be ignored in events. " +
        "Times are seconds from the first sample of the stream, as unrounded doubles. `started` carries the limits.",
      license: { name: "Apache-2.0", url: "https://www.apache.org/licenses/LICENSE-2.0" },
    },
    defaultContentType: "application/json",
    servers: { plain: server("ws"), encrypted: server("wss") },
    channels: Object.fromEntries(channels.map((channel) => [channel.name, channelOf(channel)])),
    operations: Object.fromEntries(channels.flatMap(operations)),
    components: {
      securitySchemes: SECURITY_SCHEMES,
      messages: { ...requestMessages(), ...eventMessages(), ...further?.messages, audio: AUDIO, result_audio: SOUND },
      schemas: { ...requestSchemas(), ...eventSchemas(), ...further?.schemas },
    },
    "x-sample-formats": SAMPLE_FORMAT_NAMES.map((name) => {
      const { bytes: _, ...layout } = SAMPLE_FORMATS[name];
      return { name, ...layout, meaning: describeLayout(layout) };
    }),
    "x-features": FEATURES,
    "x-errors": ERRORS,
    "x-warnings": WARNINGS,
    "x-close-codes": closeCodes(),
    "x-http-error": schemaReference("ErrorEvent"),
  };
}

const COMPANDING: Readonly<Record<string, string>> = { mulaw: "mu-law", alaw: "A-law" };

function describeLayout({ bit_depth, is_float, encoding }: Omit<SampleLayout, "bytes">): string {
  if (encoding !== "pcm") return COMPANDING[encoding] ?? encoding;
  if (is_float) return `${bit_depth}-bit float`;
  // As in WAV files.
  return bit_depth === 8 ? "unsigned 8 bit" : `signed ${bit_depth} bit`;
}

/** Whoever has configured no tokens lets everybody connect. */
const SECURITY_SCHEMES: Json = {
  token: {
    type: "http",
    scheme: "bearer",
    description: "A token of the server, if it has any. Without tokens everybody may connect.",
  },
  ticket: {
    type: "httpApiKey",
    in: "query",
    name: "ticket",
    description:
      "A ticket for one connection from `POST /api/v1/tickets`, for browsers, which cannot send headers. It may also be " +
      "offered as a second subprotocol `ticket.VALUE`.",
  },
};

function server(protocol: string): Json {
  return {
    host: "{address}",
    protocol,
    variables: { address: { default: DEFAULT_ADDRESS, description: "Host and port of the server." } },
    security: Object.keys(SECURITY_SCHEMES).map((name) => reference(`components/securitySchemes/${name}`)),
  };
}

function channelOf({ address, description, query = {}, receives = SENT, sends = RECEIVED }: Channel): Json {
  const messages = [...receives, ...sends].map((name) => [name, reference(`components/messages/${name}`)]);
  return {
    address,
    description,
    messages: Object.fromEntries(messages),
    bindings: { ws: { method: "GET", query: queryOf(query), headers: HEADERS, bindingVersion: "0.1.0" } },
  };
}

function queryOf(query: Readonly<Record<string, Json>>): Json {
  return { type: "object", properties: { ...query, ticket: { type: "string", description: "A ticket." } } };
}

const HEADERS: Json = {
  type: "object",
  properties: {
    Authorization: { type: "string", description: "`Bearer TOKEN`, if the server has tokens." },
    "Sec-WebSocket-Protocol": {
      type: "string",
      description: `${SUBPROTOCOL}, beside which others may be offered; or none.`,
    },
    traceparent: { type: "string", description: "W3C Trace Context: the trace that the server continues." },
    tracestate: { type: "string", description: "W3C Trace Context." },
  },
};

/** The operations of a channel. AsyncAPI describes an application, here the server: it receives what clients send. */
function operations({ name: channel, receives = SENT, sends = RECEIVED }: Channel): [string, Json][] {
  const operation = (action: string, summary: string, names: readonly string[]) => ({
    action,
    summary,
    channel: reference(`channels/${channel}`),
    messages: names.map((name) => reference(`channels/${channel}/messages/${name}`)),
  });
  return [
    [`${channel}_receive`, operation("receive", "What clients send.", receives)],
    [`${channel}_send`, operation("send", "What the server sends.", sends)],
  ];
}

function reference(path: string): Json {
  return { $ref: `#/${path}` };
}

function requestMessages(): Record<string, Json> {
  const names = Object.keys(REQUESTS) as (keyof typeof REQUESTS)[];
  return Object.fromEntries(
    names.map((name) => [name, message(name, REQUEST_TITLES[name], requestSchemaName(name), EXAMPLES[name])]),
  );
}

function eventMessages(): Record<string, Json> {
  const names = Object.keys(EVENTS) as (keyof typeof EVENTS)[];
  return Object.fromEntries(
    names.map((name) => [name, message(name, EVENT_TITLES[name], eventSchemaName(name), EXAMPLES[name])]),
  );
}

/** Returns the description of a text message. @param schema its name */
export function message(name: string, title: string, schema: string, examples: readonly Json[]): Json {
  return { name, title, payload: schemaReference(schema), examples: examples.map((payload) => ({ payload })) };
}

const AUDIO = binary(
  "audio",
  "Samples of the stream",
  "A binary message: interleaved little-endian samples in the format of the start. It may end anywhere, even inside a " +
    "sample. The same bytes give the same results, whatever their message boundaries. No file: a WAV header is skipped " +
    "with a warning, other kinds of files end the stream with `format_mismatch`.",
);
const SOUND = binary(
  "result_audio",
  "Sound of a result",
  "The binary message behind an event with `audio`: mono, 32-bit float, little-endian, at the `sample_rate` there.",
);

function binary(name: string, title: string, description: string): Json {
  const payload = { title: name === "audio" ? "AudioSamples" : "ResultSamples", type: "string", format: "binary" };
  return { name, title, description, contentType: "application/octet-stream", payload };
}
