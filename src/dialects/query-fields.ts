import * as v from "valibot";

import { describeValue } from "../lib/excerpt.ts";
import { ProtocolError } from "../protocol/errors.ts";

/** Returns the error of a parameter. */
export function invalidParameter(param: string, found: string, allowed: string): ProtocolError {
  return new ProtocolError("invalid_request", `${param}: found ${found}; allowed: ${allowed}`, { param });
}

/**
 * Reads a query by a schema of its parameters; others are ignored, as there are many that have no counterpart here.
 * Throws ProtocolError `invalid_request` for the first value that is not of its parameter's type.
 */
export function readQuery<Schema extends v.GenericSchema>(
  schema: Schema,
  query: URLSearchParams,
): v.InferOutput<Schema> {
  // An empty value, as of a field that a program has left out, counts as absent.
  const given = Object.fromEntries([...query].filter(([, value]) => value !== ""));
  const result = v.safeParse(schema, given);
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw invalidParameter(v.getDotPath(issue) ?? "", describeValue(issue.input), issue.message);
}

/** Schema of a whole number in a query. The message of an issue says what is allowed. */
export function wholeNumber(min: number, max: number) {
  const allowed = `a whole number from ${min} to ${max}`;
  return v.pipe(
    v.string(allowed),
    v.regex(/^\d{1,9}$/, allowed),
    v.transform(Number),
    v.minValue(min, allowed),
    v.maxValue(max, allowed),
  );
}

/** Schema of a truth value in a query: SDKs write `true`, people who build the URL in Python `True`. */
export function flag() {
  const allowed = "true or false";
  return v.pipe(
    v.string(allowed),
    v.toLowerCase(),
    v.picklist(["true", "false"], allowed),
    v.transform((text) => text === "true"),
  );
}
