import type { Item } from "./program.ts";

export type Json = Readonly<Record<string, unknown>>;

/** Keys of a JSON schema that are texts for people. */
const PROSE = new Set(["description", "title"]);

/** Messages with their fields, errors and warnings, from the AsyncAPI document. */
export function protocolItems(document: Json): Item[] {
  const { messages } = document["components"] as { messages: Record<string, { payload: Json }> };
  const errors = Object.entries(document["x-errors"] as Record<string, Json>).map(([code, row]): Item => [
    `error ${code}`,
    facts(row, new Set(["meaning"])),
  ]);
  const operations = Object.entries(document["operations"] as Record<string, { action: string; messages: Json[] }>);
  return [
    ...Object.entries(messages).flatMap(([name, { payload }]) => schemaItems(name, payload)),
    ...schemaItems("HTTP error", document["x-http-error"] as Json),
    ...errors,
    ...operations.map(([name, { action, messages }]): Item => [
      `operation ${name}`,
      `${action} ${messages.map(({ $ref }) => String($ref).replace(/.*\//, "")).join(", ")}`,
    ]),
  ];
}

/** One item for each field of a JSON schema, at any depth. */
function schemaItems(name: string, schema: Json, note = ""): Item[] {
  const alternatives = schema["anyOf"] as Json[] | undefined;
  if (alternatives?.length === 2 && alternatives[1]?.["type"] === "null") {
    return schemaItems(name, alternatives[0]!, `${note}or null, `);
  }
  const { properties = {}, required = [], items, ...rest } = schema;
  const needed = new Set(required as string[]);
  return [
    [name, note + facts(rest, PROSE)],
    ...(items === undefined ? [] : schemaItems(`${name}[]`, items as Json)),
    ...Object.entries(properties as Record<string, Json>).flatMap(([field, inner]) =>
      schemaItems(`${name}.${field}`, inner, needed.has(field) ? "required, " : "optional, "),
    ),
  ];
}

function facts(values: Json, except: ReadonlySet<string>): string {
  return Object.entries(values)
    .filter(([name]) => !except.has(name))
    .map(([name, value]) => `${name} ${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(", ");
}
