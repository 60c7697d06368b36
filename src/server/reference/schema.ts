import type { Json } from "../../protocol/json-schema.ts";
import { type Anchors, code, entries, type Entry, escape, inline, number } from "./markup.ts";

export interface SchemaContext {
  /** The components of the document, by name. */
  readonly schemas: Readonly<Record<string, Json>>;
  /** Places of names in code. */
  readonly anchors: Anchors;
  /** Places of schemas. */
  readonly places: Anchors;
  /** Null is no type of its own, as in requests, where it counts as absent. */
  readonly hidesNull?: boolean;
}

/** Returns the name of the schema that is referred to; undefined: it is no reference. */
export function referred({ $ref }: Json): string | undefined {
  return typeof $ref === "string" ? $ref.replace(/.*\//, "") : undefined;
}

/** Returns the names of the schemas that the fields of one refer to, in order. */
export function partsOf(schema: Json): string[] {
  const fields = Object.values((schema["properties"] ?? {}) as Record<string, Json>);
  return fields.flatMap((field) => {
    const inner = withoutNull(field);
    return referred((inner["items"] ?? inner) as Json) ?? [];
  });
}

/** Returns the HTML of the fields of an object. @param place of the object, with which those of its fields begin */
export function fieldsOf(schema: Json, place: string, context: SchemaContext): string {
  const fields = Object.entries((schema["properties"] ?? {}) as Record<string, Json>);
  const required = new Set((schema["required"] ?? []) as string[]);
  return entries(
    fields.map(([name, field]) => fieldEntry({ name, field, place, isRequired: required.has(name) }, context)),
  );
}

interface Field {
  readonly name: string;
  readonly field: Json;
  readonly place: string;
  readonly isRequired: boolean;
}

function fieldEntry({ name, field, place, isRequired }: Field, context: SchemaContext): Entry {
  const { schemas, anchors } = context;
  const shown = context.hidesNull === true ? withoutNull(field) : field;
  const target = referred(withoutNull(field));
  const about = field["description"] ?? firstSentence(schemas[target ?? ""]?.["description"]);
  const unit = field["x-unit"];
  return {
    id: `${place}.${name}`,
    term: `<a class="self" href="#${place}.${name}"><code>${escape(name)}</code></a>`,
    facts: [
      `${typeOf(shown, context)}${typeof unit === "string" ? `, ${escape(unit)}` : ""}`,
      ...(isRequired ? ["required"] : []),
    ],
    text: inline(String(about), anchors),
    more: [rangeOf(shown), valuesOf(shown), defaultOf(field, isRequired), patternOf(shown)].flatMap(
      (fact) => fact ?? [],
    ),
  };
}

/** What is said about an object is said in full where it stands. */
function firstSentence(text: unknown): string {
  return typeof text === "string" ? (/^.*?[.](?= |$)/s.exec(text)?.[0] ?? text) : "";
}

/** Returns the HTML of the type of a value. */
export function typeOf(schema: Json, context: SchemaContext): string {
  const name = referred(schema);
  if (name !== undefined) {
    const place = context.places.get(name);
    return place === undefined ? escape(name) : `<a href="#${place}">${escape(name)}</a>`;
  }
  if ("const" in schema) return `<code>${escape(JSON.stringify(schema["const"]))}</code>`;
  const alternatives = (schema["anyOf"] ?? schema["oneOf"]) as Json[] | undefined;
  if (alternatives !== undefined) {
    return [...new Set(alternatives.map((each) => typeOf(each, context)))].join(" or ");
  }
  if (schema["type"] === "array") return `array of ${typeOf((schema["items"] ?? {}) as Json, context)}`;
  const { type = "any value", format, contentMediaType } = schema;
  const isDouble = type === "number" && format === undefined;
  const kind = format ?? contentMediaType;
  return escape(`${String(type)}${kind === undefined || isDouble ? "" : ` (${String(kind)})`}`);
}

function withoutNull(schema: Json): Json {
  const alternatives = schema["anyOf"] as Json[] | undefined;
  if (alternatives?.some(({ type }) => type === "null") !== true) return schema;
  const others = alternatives.filter(({ type }) => type !== "null");
  return others.length === 1 ? { ...others[0] } : { anyOf: others };
}

function rangeOf(schema: Json): string | undefined {
  const range = limitsOf(schema);
  return range === undefined ? undefined : `Range: ${range}`;
}

function limitsOf(schema: Json): string | undefined {
  const alternatives = schema["anyOf"] as Json[] | undefined;
  if (alternatives !== undefined) {
    const ranges = alternatives.flatMap((each) => ("const" in each ? String(each["const"]) : (limitsOf(each) ?? [])));
    return ranges.length < 2 ? ranges[0] : ranges.join(", or ");
  }
  const { minimum, maximum, minLength, maxLength } = schema as Record<string, number | undefined>;
  if (minimum !== undefined && maximum !== undefined) return `${number(minimum)} to ${number(maximum)}`;
  if (minimum !== undefined) return `${number(minimum)} or more`;
  if (maxLength !== undefined) return `${number(minLength ?? 0)} to ${number(maxLength)} characters`;
  return undefined;
}

function defaultOf(field: Json, isRequired: boolean): string | undefined {
  if (field["x-default"] !== undefined) return `Default: ${inline(String(field["x-default"]))}`;
  if (isRequired || !("default" in field)) return undefined;
  const { default: value } = field;
  return `Default: ${typeof value === "number" ? number(value) : code(JSON.stringify(value))}`;
}

function valuesOf(schema: Json): string | undefined {
  const values = (schema["enum"] ?? (schema["items"] as Json | undefined)?.["enum"]) as unknown[] | undefined;
  return values && `One of: ${values.map((value) => code(JSON.stringify(value))).join(", ")}`;
}

function patternOf({ pattern }: Json): string | undefined {
  return typeof pattern === "string" ? `Pattern: ${code(pattern)}` : undefined;
}
