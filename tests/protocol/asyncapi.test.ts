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
const { messages, schemas } = document["components"] as {
  messages: Record<string, Message>;
  schemas: Record<string, Json>;
};

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
    const schema = resolve(String(messages[name]?.payload["$ref"])) as Json;
    expect([schema["type"], typeof schema["title"]]).toEqual(["object", "string"]);
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
  const { properties, ...start } = schemas["StartRequest"] as { properties: Record<string, Json> };
  expect(properties["trace_id"]?.["anyOf"]).toContainEqual({ type: "null" });
  expect(properties["format"]).not.toHaveProperty("anyOf");
  const format = schemas["AudioFormat"]?.["properties"] as Record<string, Json>;
  expect(format["encoding"]?.["anyOf"]).toContainEqual({ type: "null" });
  expect(start).toMatchObject({ required: ["request", "format"], additionalProperties: false });
});

test("objects have names, which references use, so that generated code has types for them", () => {
  expect(schemas["StartRequest"]?.["properties"]).toMatchObject({
    format: { $ref: "#/components/schemas/AudioFormat" },
    vad: { anyOf: [{ $ref: "#/components/schemas/VadSettings" }, { type: "null" }] },
  });
  const anonymous = Object.entries(schemas).flatMap(([name, schema]) =>
    Object.entries(schema["properties"] as Record<string, Json>)
      .filter(([, field]) => "properties" in field)
      .map(([field]) => `${name}.${field}`),
  );
  expect(anonymous).toEqual([]);
});

test("constants have a type, and no field is limited to finite numbers alone", () => {
  expect(schemas["StartedEvent"]?.["properties"]).toMatchObject({ type: { type: "string", const: "started" } });
  expect(JSON.stringify(document)).not.toContain("e+308");
});

test("a channel may have messages of its own", () => {
  const { name, address, description } = CHANNELS[0]!;
  const own = { name, address, description, receives: ["keep_alive"], sends: ["note", "error"] };
  const further = { messages: { note: { name: "note" } }, schemas: { Note: { type: "object" } } };
  const { channels, components } = asyncapi("1", [own], further) as Record<string, Record<string, Json>>;
  expect(Object.keys(channels!["simple"]!["messages"] as Json)).toEqual(["keep_alive", "note", "error"]);
  expect(components!["schemas"]).toMatchObject(further.schemas);
});

test("close codes are those of errors, and those without one", () => {
  const rows = document["x-close-codes"] as { code: number; errors: string[] }[];
  expect(rows.map(({ code }) => code)).toEqual([1000, 1001, 1002, 1007, 1008, 1009, 1011, 1013]);
  expect(rows.find(({ code }) => code === 1001)?.errors).toEqual(["draining"]);
});

test("the document is plain JSON", () => {
  expect(JSON.parse(JSON.stringify(document))).toEqual(document);
});
