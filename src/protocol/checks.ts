import * as v from "valibot";

import { excerpt, shown } from "../lib/excerpt.ts";
import { nearest } from "../lib/nearest.ts";
import { ProtocolError } from "./errors.ts";

/** Far deeper than any request, far shallower than any stack: what walks a message may recurse. */
const MAX_DEPTH = 32;

type Fields = Record<string, unknown>;

/**
 * A text message as an object without its null fields, at any level: null counts as absent. Throws `invalid_json`,
 * or `invalid_request` for anything but an object, for nesting beyond 32 levels and for a field called `__proto__`.
 */
export function parseObject(message: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(message);
  } catch {
    throw new ProtocolError("invalid_json", `found ${shown(message)}; allowed: one JSON object`);
  }
  if (!isObject(value)) {
    throw new ProtocolError("invalid_request", `found ${shown(value)}; allowed: a JSON object with a field "request"`);
  }
  return withoutNulls(value, 1);
}

function withoutNulls(fields: Fields, depth: number): Fields {
  if (depth > MAX_DEPTH) throw tooDeep();
  const kept: Fields = {};
  for (const [key, value] of Object.entries(fields)) {
    // Assigning to this key would replace the object's prototype.
    if (key === "__proto__") {
      throw refused(key, 'unknown field "__proto__"');
    }
    if (value !== null) kept[key] = cleaned(value, depth + 1);
  }
  return kept;
}

function cleaned(value: unknown, depth: number): unknown {
  if (Object.is(value, -0)) return 0;
  if (isObject(value)) return withoutNulls(value, depth);
  if (!Array.isArray(value)) return value;
  if (depth > MAX_DEPTH) throw tooDeep();
  return value.map((item) => cleaned(item, depth + 1));
}

function tooDeep(): ProtocolError {
  return new ProtocolError(
    "invalid_request",
    `found nesting deeper than ${MAX_DEPTH} levels; allowed: at most ${MAX_DEPTH}`,
  );
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** `fields` as `schema` makes them. Throws `invalid_request` or `unsupported_format` for the first fault. */
export function checkFields<Output>(schema: v.GenericSchema<unknown, Output>, fields: Fields): Output {
  refuseUnknown(schema, fields, "");
  const result = v.safeParse(schema, fields);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const param = v.getDotPath(issue) ?? "";
  const missing = issue.kind === "schema" && issue.type === "strict_object" && issue.input === undefined;
  const allowed = missing ? allowedAt(schema, param.split(".")) : issue.message;
  throw new ProtocolError(
    isUnsupported(issue, param) ? "unsupported_format" : "invalid_request",
    `${param}: found ${shown(issue.input)}; allowed: ${allowed}`,
    { param },
  );
}

/** What the schema of a field says is allowed there. Valibot itself only says that a missing field is missing. */
function allowedAt(schema: unknown, path: readonly string[]): string {
  const field = path.reduce((at, key) => entriesOf(at)?.[key], schema);
  const message = isObject(field) ? field["message"] : undefined;
  return typeof message === "string" ? message : "a value";
}

/** A value of the right type that the format does not offer, as against one that is not of the right type at all. */
function isUnsupported(issue: v.BaseIssue<unknown>, param: string): boolean {
  if (!param.startsWith("format.")) return false;
  if (issue.kind === "validation") return true;
  const type = param === "format.encoding" ? "string" : "number";
  return issue.type === "picklist" && typeof issue.input === type;
}

/** Valibot's own check looks names up with `in`, and so takes "constructor" and the like for known ones. */
function refuseUnknown(schema: unknown, value: unknown, path: string): void {
  const entries = entriesOf(schema);
  if (entries === undefined || !isObject(value)) return;
  for (const [key, field] of Object.entries(value)) {
    if (!Object.hasOwn(entries, key)) {
      const meant = nearest(key, Object.keys(entries));
      const hint =
        meant === undefined ? `allowed: ${Object.keys(entries).join(", ")}` : `did you mean "${path}${meant}"?`;
      const param = `${path}${excerpt(key)}`;
      throw refused(param, `unknown field "${param}"; ${hint}`);
    }
    refuseUnknown(entries[key], field, `${path}${key}.`);
  }
}

function refused(param: string, message: string): ProtocolError {
  return new ProtocolError("invalid_request", message, { param });
}

/** The fields of an object's schema, also of an optional one; undefined for everything else. */
function entriesOf(schema: unknown): Fields | undefined {
  if (!isObject(schema)) return undefined;
  if (isObject(schema["entries"])) return schema["entries"];
  return entriesOf(schema["wrapped"]);
}
