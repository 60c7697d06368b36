import type { Item } from "./program.ts";

export type Json = Readonly<Record<string, unknown>>;

/** Keys of a JSON schema that are texts for people. */
const PROSE = new Set(["description", "title", "x-unit", "x-default"]);

/** Messages with their fields, errors, warnings and close codes, from the AsyncAPI document. */
export function protocolItems(document: Json): Item[] {
  const { messages, schemas } = document["components"] as {
    messages: Record<string, { payload: Json }>;
    schemas: Record<string, Json>;
  };
  const errors = Object.entries(document["x-errors"] as Record<string, Json>).map(([code, row]): Item => [
    `error ${code}`,
    facts(row, new Set(["meaning"])),
  ]);
  const operations = Object.entries(document["operations"] as Record<string, { action: string; messages: Json[] }>);
  return [
    ...Object.entries(messages).flatMap(([name, { payload }]) => schemaItems(name, payload, schemas)),
    ...schemaItems("HTTP error", document["x-http-error"] as Json, schemas),
    ...errors,
    ["warnings", Object.keys(document["x-warnings"] as Json).join(", ")],
    ["close codes", (document["x-close-codes"] as { code: number }[]).map(({ code }) => code).join(", ")],
    ...operations.map(([name, { action, messages }]): Item => [
      `operation ${name}`,
      `${action} ${messages.map(({ $ref }) => String($ref).replace(/.*\//, "")).join(", ")}`,
    ]),
  ];
}

/** One item for each field of a JSON schema, at any depth. */
function schemaItems(name: string, schema: Json, schemas: Readonly<Record<string, Json>>, note = ""): Item[] {
  const { $ref, anyOf, ...others } = schema;
  if (typeof $ref === "string") return schemaItems(name, schemas[$ref.replace(/.*\//, "")] ?? {}, schemas, note);
  const alternatives = anyOf as Json[] | undefined;
  if (alternatives?.length === 2 && alternatives[1]?.["type"] === "null") {
    return schemaItems(name, { ...alternatives[0], ...others }, schemas, `${note}or null, `);
  }
  const { properties = {}, required = [], items, ...rest } = schema;
  const needed = new Set(required as string[]);
  return [
    [name, note + facts(rest, PROSE)],
    ...(items === undefined ? [] : schemaItems(`${name}[]`, items as Json, schemas)),
    ...Object.entries(properties as Record<string, Json>).flatMap(([field, inner]) =>
      schemaItems(`${name}.${field}`, inner, schemas, needed.has(field) ? "required, " : "optional, "),
    ),
  ];
}

function facts(values: Json, except: ReadonlySet<string>): string {
  return Object.entries(values)
    .filter(([name]) => !except.has(name))
    .map(([name, value]) => `${name} ${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(", ");
}
