import { expect, test } from "bun:test";

import { asyncapi } from "../../src/protocol/asyncapi.ts";
import { EVENTS, parseEvent } from "../../src/protocol/events.ts";
import { parseRequest, REQUESTS } from "../../src/protocol/requests.ts";

type Json = Record<string, unknown>;
type Message = { name: string; payload: Json; examples?: { payload: Json }[] };

const CHANNELS = ["simple", "other"].map((name) => ({
  name,
  address: `/api/v1/${name}`,
  description: `About ${name}.`,
}));
const document = asyncapi("1.2.3", CHANNELS);
const messages = (document["components"] as { messages: Record<string, Message> }).messages;

function resolve(reference: string): unknown {
  return reference
    .replace("#/", "")
    .split("/")
    .reduce<unknown>((at, key) => (at as Json)[key], document);
}

function references(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  const own = "$ref" in value && typeof value.$ref === "string" ? [value.$ref] : [];
  return [...own, ...Object.values(value).flatMap(references)];
}

test("the document is AsyncAPI 3 of this server's version", () => {
  expect(document).toMatchObject({ asyncapi: "3.0.0", info: { title: "Streamer", version: "1.2.3" } });
});

test("every route is a channel with an operation in each direction", () => {
  expect(document["channels"]).toMatchObject({
    simple: { address: "/api/v1/simple", description: "About simple." },
    other: { address: "/api/v1/other", description: "About other." },
  });
  const operations = document["operations"] as Record<string, { action: string }>;
  expect(Object.entries(operations).map(([name, { action }]) => [name, action])).toEqual([
    ["simple_receive", "receive"],
    ["simple_send", "send"],
    ["other_receive", "receive"],
    ["other_send", "send"],
  ]);
});

test("every reference leads somewhere", () => {
  const found = references(document);
  expect(found.length).toBeGreaterThan(50);
  for (const reference of found)
    expect({ reference, leads: typeof resolve(reference) }).toEqual({ reference, leads: "object" });
});

test("every request and event is a message with a schema", () => {
  for (const name of [...Object.keys(REQUESTS), ...Object.keys(EVENTS)]) {
    expect(messages[name]?.payload).toMatchObject({ type: "object" });
  }
});

test("the examples are accepted by the schemas they illustrate", () => {
  for (const [name, { examples = [] }] of Object.entries(messages)) {
    for (const { payload } of examples) {
      const text = JSON.stringify(payload);
      const [kind] = name in REQUESTS ? [parseRequest(text, { maxChannels: 16 }).request] : [parseEvent(text).type];
      expect<string>(kind).toBe(name);
    }
  }
});

test("a field that may be absent may be null, a required one may not", () => {
  const properties = messages["start"]?.payload["properties"] as Record<string, Json>;
  expect(properties["trace_id"]?.["anyOf"]).toContainEqual({ type: "null" });
  expect(properties["format"]).not.toHaveProperty("anyOf");
  const format = properties["format"]?.["properties"] as Record<string, Json>;
  expect(format["encoding"]?.["anyOf"]).toContainEqual({ type: "null" });
  expect(messages["start"]?.payload).toMatchObject({ required: ["request", "format"], additionalProperties: false });
});

test("the document is plain JSON", () => {
  expect(JSON.parse(JSON.stringify(document))).toEqual(document);
});
