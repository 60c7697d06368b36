import { describeValue } from "../lib/excerpt.ts";
import { ProtocolError } from "./errors.ts";

/** Levels of nesting in a message: far more than a request needs, far fewer than recursion can take. */
const MAX_DEPTH = 32;

export type Fields = Record<string, unknown>;

/** Parses a text message. Throws ProtocolError `invalid_json`. */
export function parseJson(message: string): unknown {
  try {
    return JSON.parse(message);
  } catch {
    throw new ProtocolError("invalid_json", `found ${describeValue(message)}; allowed: one JSON object`);
  }
}

/**
 * Returns the fields of a message without those that are null, at any level: null counts as absent. Throws
 * ProtocolError `invalid_request` when the message is not an object, nests deeper than 32 levels or has a field
 * `__proto__`.
 */
export function messageFields(value: unknown): Fields {
  if (!isObject(value)) {
    throw new ProtocolError(
      "invalid_request",
      `found ${describeValue(value)}; allowed: a JSON object with a field "request"`,
    );
  }
  return withoutNulls(value, 1);
}

export function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function withoutNulls(fields: Fields, depth: number): Fields {
  if (depth > MAX_DEPTH) throw tooDeep();
  const kept: Fields = {};
  for (const [key, value] of Object.entries(fields)) {
    // Assigning to this key would replace the object's prototype.
    if (key === "__proto__") {
      throw new ProtocolError("invalid_request", 'unknown field "__proto__"', { param: key });
    }
    if (value !== null) kept[key] = cleanValue(value, depth + 1);
  }
  return kept;
}

/** Removes nulls inside a value, and the sign of a zero, which JSON can write. */
function cleanValue(value: unknown, depth: number): unknown {
  if (Object.is(value, -0)) return 0;
  if (isObject(value)) return withoutNulls(value, depth);
  if (!Array.isArray(value)) return value;
  if (depth > MAX_DEPTH) throw tooDeep();
  return value.map((item) => cleanValue(item, depth + 1));
}

function tooDeep(): ProtocolError {
  return new ProtocolError(
    "invalid_request",
    `found nesting deeper than ${MAX_DEPTH} levels; allowed: at most ${MAX_DEPTH}`,
  );
}
