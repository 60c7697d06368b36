import * as v from "valibot";

import { describeValue, excerpt } from "../lib/excerpt.ts";
import { nearestName } from "../lib/nearest-name.ts";
import { ProtocolError } from "./errors.ts";
import { type Fields, isObject } from "./message-fields.ts";

/**
 * Validates fields and fills in defaults. Throws ProtocolError `invalid_request` or `unsupported_format` for the first
 * fault.
 */
export function checkFields<Output>(schema: v.GenericSchema<unknown, Output>, fields: Fields): Output {
  checkNames(schema, fields, "");
  const result = v.safeParse(schema, fields);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const param = v.getDotPath(issue) ?? "";
  const missing = issue.kind === "schema" && issue.type === "strict_object" && issue.input === undefined;
  const allowed = missing ? allowedAt(schema, param.split(".")) : issue.message;
  throw new ProtocolError(
    isUnsupported(issue, param) ? "unsupported_format" : "invalid_request",
    `${param}: found ${describeValue(issue.input)}; allowed: ${allowed}`,
    { param },
  );
}

/** Finds the description of the allowed values of a field. Valibot reports a missing field without it. */
function allowedAt(schema: unknown, path: readonly string[]): string {
  const field = path.reduce((at, key) => objectSchema(at)?.entries?.[key], schema);
  const message = isObject(field) ? field["message"] : undefined;
  return typeof message === "string" ? message : "a value";
}

/** Distinguishes a value of the right type that no format has (`unsupported_format`) from one of a wrong type. */
function isUnsupported(issue: v.BaseIssue<unknown>, param: string): boolean {
  if (!param.startsWith("format.")) return false;
  if (issue.kind === "validation") return true;
  const type = param === "format.encoding" ? "string" : "number";
  return issue.type === "picklist" && typeof issue.input === type;
}

/**
 * Rejects unknown names, and arrays in place of objects. Valibot 1.5 looks names up with `in`, and so accepts
 * "constructor", and it accepts an array as an object.
 * @param path path of `value`: empty at the top, else with a dot at its end
 */
function checkNames(schema: unknown, value: unknown, path: string): void {
  const object = objectSchema(schema);
  if (object === undefined) return;
  if (Array.isArray(value)) {
    const param = path.slice(0, -1);
    throw refused(param, `${param}: found an array; allowed: ${String(object.message)}`);
  }
  if (object.entries === undefined || !isObject(value)) return;
  for (const [key, field] of Object.entries(value)) {
    if (!Object.hasOwn(object.entries, key)) throw unknownField(path, key, Object.keys(object.entries));
    checkNames(object.entries[key], field, `${path}${key}.`);
  }
}

/** Throws ProtocolError `invalid_request` for the first option that a model does not take. */
export function checkOptions(options: object | undefined, known: readonly string[]): void {
  for (const key of Object.keys(options ?? {})) {
    if (!known.includes(key)) throw unknownField("options.", key, known);
  }
}

function unknownField(path: string, key: string, known: readonly string[]): ProtocolError {
  const meant = nearestName(key, known);
  const hint = meant === undefined ? `allowed: ${known.join(", ") || "none"}` : `did you mean "${path}${meant}"?`;
  const param = `${path}${excerpt(key)}`;
  return refused(param, `unknown field "${param}"; ${hint}`);
}

function refused(param: string, message: string): ProtocolError {
  return new ProtocolError("invalid_request", message, { param });
}

/**
 * Unwraps the schema of an object, which may be optional. `entries` are its fields; undefined: any field is allowed.
 */
function objectSchema(schema: unknown): { entries?: Fields; message?: unknown } | undefined {
  if (!isObject(schema)) return undefined;
  const { type, entries, message, wrapped } = schema;
  if (isObject(entries)) return { entries, message };
  return type === "record" ? { message } : objectSchema(wrapped);
}
