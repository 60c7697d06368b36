import * as v from "valibot";

import { describeValue } from "../lib/excerpt.ts";
import { nearestName } from "../lib/nearest-name.ts";
import type { ModelModule, SettingDescription } from "./model.ts";

type Entries = Record<string, v.GenericSchema>;

type Described = Readonly<Record<string, SettingDescription>>;

/** The settings that a model's `load` is given, or what is wrong with those that were set, a sentence each. */
export function modelSettings(
  module: Pick<ModelModule, "settings" | "validate">,
  given: Record<string, unknown>,
): { settings: Record<string, unknown>; problems: string[] } {
  const { settings: described } = module;
  const settings = { ...(described && defaults(described)), ...given };
  const problems = module.validate?.(settings) ?? [];
  // A model that has refused them knows more about its settings than their description.
  return { settings, problems: problems.length > 0 || !described ? problems : misfits(described, given) };
}

function defaults(described: Described): Record<string, unknown> {
  return Object.fromEntries(Object.entries(described).map(([name, setting]) => [name, setting.default]));
}

function misfits(described: Described, given: Record<string, unknown>): string[] {
  return Object.entries(given).flatMap(([name, value]) => {
    if (!Object.hasOwn(described, name)) return [unknownSetting(name, Object.keys(described))];
    const preset = described[name]?.default;
    if (preset === null || preset === undefined || kind(preset) === kind(value)) return [];
    return [`${name}: found ${describeValue(value)}, allowed is ${kind(preset)}`];
  });
}

function kind(value: unknown): string {
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

/** What `describeSettings` says of a number: its unit, and what it means. */
export function about(unit: string, meaning: string): v.MetadataAction<number, { unit: string; meaning: string }> {
  return v.metadata({ unit, meaning });
}

/** A model's `settings` as its schema has them: defaults, and metadata `unit` and `meaning`. */
export function describeSettings(schema: v.StrictObjectSchema<Entries, undefined>): Described {
  const presets: Record<string, unknown> = v.getDefaults(schema);
  return Object.fromEntries(
    Object.entries(schema.entries).map(([name, entry]) => {
      const inner: unknown = "wrapped" in entry ? entry.wrapped : entry;
      const { unit, meaning } = v.getMetadata(inner as v.GenericSchema);
      const words = { ...(typeof unit === "string" && { unit }), ...(typeof meaning === "string" && { meaning }) };
      return [name, { default: presets[name], ...words }];
    }),
  );
}

function unknownSetting(name: string, known: readonly string[]): string {
  const near = nearestName(name, known);
  return `${name}: unknown; ${near ? `did you mean ${near}?` : `known are ${known.join(", ")}`}`;
}

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
      problems.push(unknownSetting(key, known));
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
  const actions = pipeOf(schema);
  const limit = (type: string): unknown => actions.find((action) => action["type"] === type)?.["requirement"];
  const kind = actions.some((action) => action["type"] === "safe_integer")
    ? "an integer"
    : `a ${String(schema["type"])}`;
  const least = limit("min_value");
  const most = limit("max_value");
  if (least === undefined || most === undefined) return kind;
  return `${kind} from ${String(least)} to ${String(most)}`;
}

/** A pipe may begin with a schema that has one itself. */
function pipeOf(schema: Record<string, unknown>): Record<string, unknown>[] {
  const [first, ...rest] = Array.isArray(schema["pipe"]) ? schema["pipe"].filter(isRecord) : [];
  return first === undefined ? [] : [...(first === schema ? [] : pipeOf(first)), ...rest];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
