import { type ConversionConfig, toJsonSchemaDefs } from "@valibot/to-json-schema";
import type * as v from "valibot";

import type { FieldText, ObjectText } from "./texts/field-text.ts";

export type Json = Record<string, unknown>;

export interface NamedSchemaOptions {
  /** What the schemas and their fields mean, by name. Default: they have no texts. */
  readonly texts?: Readonly<Record<string, ObjectText>>;
  /** Schemas of what is received have defaults, those of what is sent have none. */
  readonly typeMode: "input" | "output";
  readonly target: "draft-07" | "draft-2020-12";
  readonly overrideAction?: NonNullable<ConversionConfig["overrideAction"]>;
}

/**
 * Returns the JSON schemas of these schemas, by name, as components of an API description: where one stands in another,
 * there is a reference to it, so that generated code has a type for each.
 */
export function namedSchemas(
  schemas: Readonly<Record<string, v.GenericSchema>>,
  { texts = {}, ...options }: NamedSchemaOptions,
): Record<string, Json> {
  const overrideRef = ({ referenceId }: { referenceId: string }) => schemaPath(referenceId);
  const converted = toJsonSchemaDefs(schemas, { ...options, overrideRef });
  return Object.fromEntries(
    Object.entries(converted).map(([name, schema]) => [name, described(name, schema as Json, texts[name])]),
  );
}

/** Returns the reference to a schema among the components. */
export function schemaReference(name: string): Json {
  return { $ref: schemaPath(name) };
}

/** Returns the fields of the schema of an object. */
export function propertiesOf(schema: Json): Record<string, Json> {
  return (schema["properties"] ?? {}) as Record<string, Json>;
}

function schemaPath(name: string): string {
  return `#/components/schemas/${name}`;
}

function described(title: string, converted: Json, text: ObjectText | undefined): Json {
  const schema = refined(converted) as Json;
  if (text === undefined) return { title, ...schema };
  const fields = Object.entries(propertiesOf(schema)).map(([key, field]) => [key, withText(field, text.fields[key])]);
  return { title, description: text.description, ...schema, properties: Object.fromEntries(fields) };
}

/** Gives constants and whole numbers their type, which generated code needs, and removes limits that only exclude infinity. */
function refined(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(refined);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value)
    .filter(([, inner]) => Math.abs(Number(inner)) !== Number.MAX_VALUE)
    .map(([key, inner]) => [key, refined(inner)]);
  const type = typeOf(value as Json);
  return { ...Object.fromEntries(entries), ...(type !== undefined && { type }) };
}

/** Returns the type of a constant, or of values that are whole numbers; undefined: it is known, or not known. */
function typeOf({ type, const: constant, enum: values }: Json): string | undefined {
  if (type === undefined) return JSON_TYPES[typeof constant];
  return Array.isArray(values) && values.every(Number.isInteger) ? "integer" : undefined;
}

const JSON_TYPES: Readonly<Record<string, string>> = { string: "string", number: "number", boolean: "boolean" };

/** Nothing may stand beside a reference in the drafts before 2019-09. */
function withText(field: Json, text: string | FieldText | undefined): Json {
  if (text === undefined || "$ref" in field) return field;
  return { ...field, ...(typeof text === "string" ? { description: text } : text) };
}
