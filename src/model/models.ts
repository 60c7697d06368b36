import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

import { nearest } from "../lib/nearest.ts";
import { denoise } from "./denoise.ts";
import { levels } from "./levels.ts";
import type { ModelModule } from "./model.ts";
import { simulated } from "./simulated.ts";

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

/** What is wrong with a model's name and settings, a sentence each, as far as it can be told without loading it: a user's file
 *  is asked when it is loaded, in its worker. */
export function validateModelSettings(nameOrPath: string, settings: Record<string, unknown>): string[] {
  if (isModelPath(nameOrPath)) return [];
  const module = BUILT_IN.get(nameOrPath);
  return module ? (module.validate?.(settings) ?? []) : [unknownModel(nameOrPath)];
}

/** A built-in model by name, or a file's default export; a relative path is relative to `folder`.
 *  Throws with a sentence that says what is wrong with the file. */
export async function loadModule(nameOrPath: string, folder = process.cwd()): Promise<ModelModule> {
  const builtIn = BUILT_IN.get(nameOrPath);
  if (builtIn) return builtIn;
  if (!isModelPath(nameOrPath)) throw new Error(unknownModel(nameOrPath));
  const file: { default?: unknown } = await import(pathToFileURL(resolve(folder, nameOrPath)).href);
  if (file.default === undefined) throw new Error("the file has no default export; it should be a ModelModule");
  const problems = moduleProblems(file.default);
  if (problems.length > 0) throw new Error(`the default export is no ModelModule: ${problems.join("; ")}`);
  return file.default as ModelModule;
}

function unknownModel(name: string): string {
  const near = nearest(name, BUILT_IN.keys());
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
  optional("sampleRate", "an integer from 4000 to 384000", (found) => isInteger(found, 4000, 384_000));
  optional("maxBatch", "an integer from 1 to 1024", (found) => isInteger(found, 1, 1024));
  optional("maxBatchWaitMs", "a number from 0 to 10000", (found) => isBetween(found, 0, 10_000));
  optional("idempotent", "true or false", (found) => typeof found === "boolean");
  optional("stateful", "true or false", (found) => typeof found === "boolean");
  optional("validate", "a function", (found) => typeof found === "function");
  return problems;
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
