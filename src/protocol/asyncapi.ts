import { toJsonSchema } from "@valibot/to-json-schema";
import type * as v from "valibot";

import { ERRORS } from "./errors.ts";
import { errorSchema, EVENTS } from "./events.ts";
import { REQUESTS } from "./requests.ts";
import { PROTOCOL_VERSION, SUBPROTOCOL } from "./version.ts";

type Json = Record<string, unknown>;

const CHANNELS = {
  simple: {
    address: "/api/v1/simple",
    description: "Every block of audio goes through the model; answers are `segment` events without `is_final`.",
  },
  stateful: {
    address: "/api/v1/stateful",
    description:
      "Every block of audio goes through the model in turn, each call with the state of the one before; answers are `segment` " +
      "events without `is_final`, and `data` at the end of the stream.",
  },
  segmented: {
    address: "/api/v1/segmented",
    description: "Voice activity detection finds utterances; the model runs on those.",
  },
};

const REQUEST_TITLES: Record<keyof typeof REQUESTS, string> = {
  start: "Opens a stream",
  stop: "Ends the stream when everything received has been answered",
  flush: "Ends the current utterance or block now",
  keep_alive: "Resets the idle timer",
};

const EVENT_TITLES: Record<keyof typeof EVENTS, string> = {
  started: "A start was accepted",
  active: "Speech began",
  inactive: "Speech ended",
  segment: "A result with bounds; the model's own fields stand beside these",
  data: "A result without bounds; the model's own fields stand beside these",
  flushed: "Everything before a flush has been answered",
  stopped: "The stream is over: its ledger",
  error: "Something failed",
  warning: "Something is suspicious but accepted",
};

/** The AsyncAPI 3.0 document of the protocol, made from the schemas that validate it. `version` is the server's. */
export function asyncapi(version: string): Json {
  const requests = messages(REQUESTS, REQUEST_TITLES, (schema) => acceptingNull(draft(schema, "input")));
  const events = messages(EVENTS, EVENT_TITLES, (schema) => draft(schema, "output"));
  return {
    asyncapi: "3.0.0",
    info: {
      title: "Streamer",
      version,
      description:
        `Wire protocol ${PROTOCOL_VERSION}, subprotocol ${SUBPROTOCOL}. Text messages are JSON, binary ones audio. ` +
        "A field that is null counts as absent. Limits are those of `started`.",
      license: { name: "Apache-2.0" },
    },
    defaultContentType: "application/json",
    channels: Object.fromEntries(
      Object.entries(CHANNELS).map(([name, channel]) => [name, { ...channel, messages: channelMessages() }]),
    ),
    operations: Object.fromEntries(Object.keys(CHANNELS).flatMap(operations)),
    components: { messages: { ...requests, ...events, audio: audioMessage(), result_audio: resultAudioMessage() } },
    "x-errors": ERRORS,
    "x-http-error": draft(errorSchema, "output"),
  };
}

const SENT = [...Object.keys(REQUESTS), "audio"];
const RECEIVED = [...Object.keys(EVENTS), "result_audio"];

function channelMessages(): Json {
  return Object.fromEntries([...SENT, ...RECEIVED].map((name) => [name, reference(`components/messages/${name}`)]));
}

/** What the server receives, and what it sends: AsyncAPI describes an application, here the server. */
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

function messages<Name extends string>(
  schemas: Record<Name, v.GenericSchema>,
  titles: Record<Name, string>,
  payload: (schema: v.GenericSchema) => Json,
): Json {
  const names = Object.keys(schemas) as Name[];
  return Object.fromEntries(
    names.map((name) => {
      const examples = EXAMPLES[name]?.map((example) => ({ payload: example }));
      return [name, { name, title: titles[name], payload: payload(schemas[name]), ...(examples && { examples }) }];
    }),
  );
}

function audioMessage(): Json {
  return {
    name: "audio",
    title: "Interleaved little-endian samples in the format of the start; a message may end anywhere",
    contentType: "application/octet-stream",
    payload: { type: "string", format: "binary" },
  };
}

function resultAudioMessage(): Json {
  return {
    name: "result_audio",
    title: "The sound that the event before announced in `audio`: mono 32-bit float, little-endian",
    contentType: "application/octet-stream",
    payload: { type: "string", format: "binary" },
  };
}

function draft(schema: v.GenericSchema, typeMode: "input" | "output"): Json {
  const { $schema: _, ...json } = toJsonSchema(schema, { typeMode, target: "draft-07" }) as Json;
  return json;
}

/** Every field that may be absent may be null too: that is said here once, and not in every schema. */
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

const FORMAT = { channels: 1, sample_rate: 16_000, bit_depth: 16, is_float: false };

/** By `request` or `type`. The reference in docs/protocol.md has more. */
const EXAMPLES: Record<string, readonly Json[]> = {
  start: [{ request: "start", format: FORMAT, interim_results: true, trace_id: null }],
  stop: [{ request: "stop", disconnect: true }],
  flush: [{ request: "flush" }],
  keep_alive: [{ request: "keep_alive" }],
  active: [{ type: "active", time: 0.32, channel: 0 }],
  inactive: [{ type: "inactive", time: 1.92, channel: 0 }],
  segment: [{ type: "segment", start_time: 0.12, end_time: 2.02, is_final: true, channel: 0, count: 30_400 }],
  flushed: [{ type: "flushed", time: 2.5, channel: 0 }],
  stopped: [
    {
      type: "stopped",
      reason: "stop",
      channels: [
        {
          channel: 0,
          received: 48_000,
          received_rate: 16_000,
          decoded: 48_000,
          inferred: 30_400,
          silent: 17_600,
          failed: 0,
          segments: 1,
          interims: 0,
          errors: 0,
        },
      ],
      trailing_bytes: 0,
      skipped_bytes: 0,
    },
  ],
  error: [
    {
      type: "error",
      code: "invalid_request",
      message: 'unknown field "interim_result"; did you mean "interim_results"?',
      fatal: false,
      retryable: false,
      param: "interim_result",
    },
  ],
};
