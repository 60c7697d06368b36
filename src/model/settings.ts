import * as v from "valibot";

import { nearest } from "../lib/nearest.ts";

type Entries = Record<string, v.GenericSchema>;

/** One sentence for each thing that is wrong with a model's settings: the key, what was found and what is allowed, and for an
 *  unknown key the nearest known one. */
export function settingProblems(schema: v.StrictObjectSchema<Entries, undefined>, settings: unknown): string[] {
  if (typeof settings !== "object" || settings === null || Array.isArray(settings)) {
    return [`settings are an object, not ${found(settings)}`];
  }
  const known = Object.keys(schema.entries);
  const problems: string[] = [];
  for (const [key, value] of Object.entries(settings)) {
    const entry = schema.entries[key];
    if (!entry) {
      const near = nearest(key, known);
      problems.push(`${key}: unknown; ${near ? `did you mean ${near}?` : `known are ${known.join(", ")}`}`);
      continue;
    }
    const { issues } = v.safeParse(entry, value);
    if (issues) problems.push(`${key}: found ${found(value)}, allowed is ${allowed(entry)}`);
  }
  return problems;
}

function found(value: unknown): string {
  const text = typeof value === "number" ? String(value) : JSON.stringify(value);
  return text === undefined ? typeof value : text.length > 40 ? `${text.slice(0, 40)}...` : text;
}

/** The words for a number's schema; looks through optional and at the requirements of its pipe. */
function allowed(entry: v.GenericSchema): string {
  let schema: unknown = entry;
  while (isRecord(schema) && isRecord(schema["wrapped"])) schema = schema["wrapped"];
  if (!isRecord(schema)) return "another value";
  const actions = Array.isArray(schema["pipe"]) ? schema["pipe"].filter(isRecord) : [];
  const limit = (type: string): unknown => actions.find((action) => action["type"] === type)?.["requirement"];
  const kind = actions.some((action) => action["type"] === "safe_integer")
    ? "an integer"
    : `a ${String(schema["type"])}`;
  const least = limit("min_value");
  const most = limit("max_value");
  if (least === undefined || most === undefined) return kind;
  return `${kind} from ${String(least)} to ${String(most)}`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
