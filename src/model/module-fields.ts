import { describeValue } from "../lib/excerpt.ts";
import { MAX_SAMPLE_RATE, MIN_SAMPLE_RATE } from "../lib/sample-format.ts";
import { findMetricProblems } from "./metric-fields.ts";
import type { BySettings, ModelModule } from "./model.ts";

/** A check of one field: what it allows, in words that follow "allowed: ", and the test. */
type FieldCheck = readonly [allowed: string, test: (value: unknown) => boolean];

const isBoolean = (value: unknown): boolean => typeof value === "boolean";
const isFunction = (value: unknown): boolean => typeof value === "function";

const REQUIRED_FIELDS: Readonly<Record<string, FieldCheck>> = {
  name: ["a string that is not blank", (value) => typeof value === "string" && value.trim() !== ""],
  load: ["a function", isFunction],
};

const NAME = /^(?! )[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]{1,64}(?<! )$/u;

/** The name is part of requests, and a label of metrics. */
const NAME_LENGTH: FieldCheck = [
  "at most 64 characters, no control characters, no spaces at its ends",
  (value) => typeof value !== "string" || value.trim() === "" || NAME.test(value),
];

/** Most options that a model declares. */
const MAX_OPTIONS = 64;

/** Most calls that one instance of a model takes at once. */
export const MAX_CONCURRENCY = 1024;

const OPTIONAL_FIELDS: Readonly<Record<string, FieldCheck>> = {
  sampleRate: [
    `an integer from ${MIN_SAMPLE_RATE} to ${MAX_SAMPLE_RATE}`,
    (value) => isInteger(value, MIN_SAMPLE_RATE, MAX_SAMPLE_RATE),
  ],
  maxBatch: ["an integer from 1 to 1024", (value) => isInteger(value, 1, 1024)],
  maxBatchWaitMs: ["a number from 0 to 10000", (value) => isWithin(value, 0, 10_000)],
  idempotent: ["true or false", isBoolean],
  stateful: ["true or false", isBoolean],
  pinned: ["true or false", isBoolean],
  traces: ["true or false", isBoolean],
  settings: ["an object of { default, unit, meaning } by name", isDescription],
  concurrency: [`an integer from 1 to ${MAX_CONCURRENCY}`, (value) => isInteger(value, 1, MAX_CONCURRENCY)],
  options: [`an array of at most ${MAX_OPTIONS} different names that are not empty`, isOptionList],
  validate: ["a function", isFunction],
};

/** Fields whose value may be a function of the settings. */
const BY_SETTINGS = ["sampleRate", "concurrency", "options"] as const;
type BySettingsField = (typeof BY_SETTINGS)[number];

const FIELDS = { ...REQUIRED_FIELDS, ...OPTIONAL_FIELDS };

/** Returns a sentence for each field of a default export that is not as `ModelModule` has it. */
export function findProblems(exported: unknown): string[] {
  if (typeof exported !== "object" || exported === null) return [`found ${describeValue(exported)}`];
  const module = exported as Record<string, unknown>;
  const isFixed = (name: string) => typeof module[name] !== "function" || !BY_SETTINGS.some((field) => field === name);
  const checked = Object.keys(OPTIONAL_FIELDS).filter((name) => module[name] !== undefined && isFixed(name));
  const problems = findFieldProblems(["name", "load", ...checked], (name) => module[name]);
  return [...problems, ...findMetricProblems(module["metrics"])];
}

/** Returns the value of a field that may depend on the settings. Throws an error if it is not allowed. */
export function fieldValue<Name extends BySettingsField>(
  module: Pick<ModelModule, BySettingsField>,
  name: Name,
  settings: Record<string, unknown>,
): Exclude<ModelModule[Name], BySettings<unknown>> {
  const declared: unknown = module[name];
  const value: unknown = typeof declared === "function" ? (declared as BySettings<unknown>)(settings) : declared;
  const [problem] = value === undefined ? [] : findFieldProblems([name], () => value);
  if (problem !== undefined) throw new Error(problem);
  return value as Exclude<ModelModule[Name], BySettings<unknown>>;
}

/**
 * Returns a sentence for each of these fields of `ModelModule` whose value is not allowed.
 * @param spell how the author of the model writes the name of a field
 * @param describe what the value of a field is, after "found"; undefined: see `describeValue`
 */
export function findFieldProblems(
  names: readonly string[],
  valueOf: (name: string) => unknown,
  spell = (name: string): string => name,
  describe = (_name: string): string | undefined => undefined,
): string[] {
  return names.flatMap((name) => {
    const checks = name === "name" ? [REQUIRED_FIELDS["name"]!, NAME_LENGTH] : [FIELDS[name]!];
    const failed = checks.filter(([, test]) => !test(valueOf(name)));
    const found = describe(name) ?? describeValue(valueOf(name));
    return failed.map(([allowed]) => `${spell(name)}: found ${found}; allowed: ${allowed}`);
  });
}

function isDescription(value: unknown): boolean {
  const isObject = (found: unknown) => typeof found === "object" && found !== null && !Array.isArray(found);
  return isObject(value) && Object.values(value as object).every((entry) => isObject(entry) && "default" in entry);
}

function isOptionList(value: unknown): boolean {
  if (!Array.isArray(value) || value.length > MAX_OPTIONS || new Set(value).size < value.length) return false;
  return value.every((name) => typeof name === "string" && name !== "");
}

function isWithin(value: unknown, min: number, max: number): boolean {
  return typeof value === "number" && value >= min && value <= max;
}

function isInteger(value: unknown, min: number, max: number): boolean {
  return Number.isInteger(value) && isWithin(value, min, max);
}
