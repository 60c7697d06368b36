import { statSync } from "node:fs";
import { parse, resolve } from "node:path";
import { pathToFileURL } from "node:url";

import { nearestName } from "../lib/nearest-name.ts";
import { MAX_SAMPLE_RATE, MIN_SAMPLE_RATE } from "../lib/sample-format.ts";
import { denoise } from "./built-in/denoise.ts";
import { levels } from "./built-in/levels.ts";
import { simulated } from "./built-in/simulated.ts";
import type { ModelModule, SettingDescription } from "./model.ts";
import { modelSettings } from "./settings.ts";

const BUILT_IN: ReadonlyMap<string, ModelModule> = new Map(
  [simulated, levels, denoise].map((module) => [module.name, module]),
);

export const DEFAULT_SAMPLE_RATE = 16_000;

/** Names of the models that come with the program. */
export const builtInModels: readonly string[] = [...BUILT_IN.keys()];

/** True for what is looked up as a file rather than among the built-in models. */
export function isModelPath(nameOrPath: string): boolean {
  return /[/\\]|\.[cm]?[jt]s$/.test(nameOrPath);
}

/** What a client calls a model that has no other name: a file's name without folder and extension, since where a server
 *  keeps its files is not for clients. */
export function modelName(nameOrPath: string): string {
  return isModelPath(nameOrPath) ? parse(nameOrPath).name : nameOrPath;
}

/** What is wrong with a model's name and settings, a sentence each, as far as it can be told without loading it: a user's file
 *  is asked when it is loaded, in its worker. */
export function validateModelSettings(nameOrPath: string, settings: Record<string, unknown>): string[] {
  if (isModelPath(nameOrPath)) return missingFile(nameOrPath);
  const module = BUILT_IN.get(nameOrPath);
  return module ? modelSettings(module, settings).problems : [unknownModel(nameOrPath)];
}

/** What a built-in model says about its settings. */
export function describeModelSettings(nameOrPath: string): Readonly<Record<string, SettingDescription>> {
  return BUILT_IN.get(nameOrPath)?.settings ?? {};
}

function missingFile(path: string): string[] {
  const stat = statSync(resolve(path), { throwIfNoEntry: false });
  if (stat?.isFile()) return [];
  const what = stat === undefined ? "there is no such file" : "it is not a file";
  return [`name: ${JSON.stringify(path)}: ${what}; looked for ${resolve(path)}`];
}

/** A built-in model by name, or a file's default export; a relative path is relative to `folder`.
 *  Throws with a sentence that says what is wrong with the file. */
export async function loadModule(nameOrPath: string, folder = process.cwd()): Promise<ModelModule> {
  const builtIn = BUILT_IN.get(nameOrPath);
  if (builtIn) return builtIn;
  if (!isModelPath(nameOrPath)) throw new Error(unknownModel(nameOrPath));
  const file = await importFile(resolve(folder, nameOrPath));
  if (file.default === undefined) {
    throw new Error("the file has no default export; it should `export default { name, load }`, a ModelModule");
  }
  const problems = moduleProblems(file.default);
  if (problems.length > 0) throw new Error(`the default export is no ModelModule: ${problems.join("; ")}`);
  return file.default as ModelModule;
}

async function importFile(path: string): Promise<{ default?: unknown }> {
  try {
    return await import(pathToFileURL(path).href);
  } catch (error) {
    throw new Error(importWords(error), { cause: error });
  }
}

/** Bun's BuildMessage has the place of a syntax error, its ResolveMessage the name that was not found. */
function importWords(error: unknown): string {
  if (!(error instanceof Error)) return `it throws ${String(error)} when it is imported`;
  const { message } = error;
  if (error.name === "ResolveMessage" && "specifier" in error) {
    const [name] = /^(?:@[^/:]+\/)?[^@./:][^/:]*(?=\/|$)/.exec(String(error.specifier)) ?? [];
    return name === undefined ? message : `${message} (\`npm install ${name}\` in its folder brings it)`;
  }
  if (error.name !== "BuildMessage" || !("position" in error)) return `it throws when it is imported: ${message}`;
  const { file, line, column } = (error.position ?? {}) as Record<string, unknown>;
  return `it cannot be parsed: ${message} (${String(file)}:${String(line)}:${String(column)})`;
}

function unknownModel(name: string): string {
  const near = nearestName(name, BUILT_IN.keys());
  const hint = near ? `did you mean ${near}?` : `built in: ${builtInModels.join(", ")}`;
  return `no model is called ${JSON.stringify(name)} (${hint}; a file is given by its path, such as ./${name}.ts)`;
}

/** What a file's default export lacks to be a ModelModule. */
function moduleProblems(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [`it is ${value === null ? "null" : `a ${typeof value}`}`];
  const module = value as Record<string, unknown>;
  const problems: string[] = [];
  const check = (key: string, wanted: string, good: boolean): void => {
    if (!good) problems.push(`${key} should be ${wanted}, not ${describe(module[key])}`);
  };
  const optional = (key: string, wanted: string, good: (found: unknown) => boolean): void =>
    check(key, wanted, module[key] === undefined || good(module[key]));
  check("name", "a string", typeof module["name"] === "string" && module["name"] !== "");
  check("load", "a function", typeof module["load"] === "function");
  optional("sampleRate", `an integer from ${MIN_SAMPLE_RATE} to ${MAX_SAMPLE_RATE}`, (found) =>
    isInteger(found, MIN_SAMPLE_RATE, MAX_SAMPLE_RATE),
  );
  optional("maxBatch", "an integer from 1 to 1024", (found) => isInteger(found, 1, 1024));
  optional("maxBatchWaitMs", "a number from 0 to 10000", (found) => isBetween(found, 0, 10_000));
  optional("idempotent", "true or false", (found) => typeof found === "boolean");
  optional("stateful", "true or false", (found) => typeof found === "boolean");
  optional("traces", "true or false", (found) => typeof found === "boolean");
  optional("settings", "an object of { default, unit, meaning } by name", isDescription);
  optional("validate", "a function", (found) => typeof found === "function");
  return problems;
}

function isDescription(value: unknown): boolean {
  const isObject = (found: unknown) => typeof found === "object" && found !== null && !Array.isArray(found);
  return isObject(value) && Object.values(value as object).every((entry) => isObject(entry) && "default" in entry);
}

function isBetween(value: unknown, least: number, most: number): boolean {
  return typeof value === "number" && value >= least && value <= most;
}

function isInteger(value: unknown, least: number, most: number): boolean {
  return Number.isInteger(value) && isBetween(value, least, most);
}

function describe(value: unknown): string {
  if (value === undefined) return "missing";
  return typeof value === "number" || typeof value === "string" ? JSON.stringify(value) : `a ${typeof value}`;
}
