import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

import { describeValue } from "../lib/excerpt.ts";
import { MAX_SAMPLE_RATE, MIN_SAMPLE_RATE } from "../lib/sample-format.ts";
import { describeImportError } from "./import-error.ts";
import type { ModelModule } from "./model.ts";
import { BUILT_IN, isModelPath, unknownModel } from "./models.ts";
import { defaultExportPlace } from "./source-place.ts";

/**
 * Returns a built-in model, or the default export of a model file.
 * @param nameOrPath paths may be relative to the working folder
 * @throws Error for the author of the file: it cannot be imported, or does not export a `ModelModule`
 */
export async function loadModule(nameOrPath: string): Promise<ModelModule> {
  const builtIn = BUILT_IN.get(nameOrPath);
  if (builtIn !== undefined) return builtIn;
  if (!isModelPath(nameOrPath)) throw new Error(unknownModel(nameOrPath));
  const path = resolve(nameOrPath);
  const file = await importFile(path);
  if (file.default === undefined) {
    throw new Error(
      `the file has no default export; it must \`export default { name, load }\`, a ModelModule (${path})`,
    );
  }
  const problems = findProblems(file.default);
  if (problems.length > 0) {
    const place = defaultExportPlace(path);
    throw new Error(`the default export is not a ModelModule: ${problems.join("; ")} (${place})`);
  }
  return file.default as ModelModule;
}

async function importFile(path: string): Promise<{ default?: unknown }> {
  try {
    return await import(pathToFileURL(path).href);
  } catch (error) {
    throw new Error(describeImportError(error, path), { cause: error });
  }
}

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

const OPTIONAL_FIELDS: Readonly<Record<string, FieldCheck>> = {
  sampleRate: [
    `an integer from ${MIN_SAMPLE_RATE} to ${MAX_SAMPLE_RATE}`,
    (value) => isInteger(value, MIN_SAMPLE_RATE, MAX_SAMPLE_RATE),
  ],
  maxBatch: ["an integer from 1 to 1024", (value) => isInteger(value, 1, 1024)],
  maxBatchWaitMs: ["a number from 0 to 10000", (value) => isWithin(value, 0, 10_000)],
  idempotent: ["true or false", isBoolean],
  stateful: ["true or false", isBoolean],
  traces: ["true or false", isBoolean],
  settings: ["an object of { default, unit, meaning } by name", isDescription],
  options: [`an array of at most ${MAX_OPTIONS} different names that are not empty`, isOptionList],
  validate: ["a function", isFunction],
};

function findProblems(exported: unknown): string[] {
  if (typeof exported !== "object" || exported === null) return [`found ${describeValue(exported)}`];
  const module = exported as Record<string, unknown>;
  const checks = [
    ...Object.entries(REQUIRED_FIELDS),
    ["name", NAME_LENGTH] as const,
    ...Object.entries(OPTIONAL_FIELDS).filter(([name]) => module[name] !== undefined),
  ];
  return checks.flatMap(([name, [allowed, test]]) => {
    const value = module[name];
    return test(value) ? [] : [`${name}: found ${describeValue(value)}; allowed: ${allowed}`];
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
