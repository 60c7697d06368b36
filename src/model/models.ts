import { statSync } from "node:fs";
import { parse, resolve } from "node:path";

import { nearestName } from "../lib/nearest-name.ts";
import { denoise } from "./built-in/denoise.ts";
import { levels } from "./built-in/levels.ts";
import { engineUrls, remote } from "./built-in/remote.ts";
import { simulated } from "./built-in/simulated.ts";
import type { ModelModule } from "./model.ts";
import { fieldValue } from "./module-fields.ts";
import { resolveSettings, type SettingDescriptions } from "./settings.ts";

/** The models of the program, by name. */
export const BUILT_IN: ReadonlyMap<string, ModelModule> = new Map(
  [simulated, levels, denoise, remote].map((module) => [module.name, module]),
);

/** Names of the built-in models. */
export const builtInModels: readonly string[] = [...BUILT_IN.keys()];

/** What tells the path of a model file from a name. */
export const MODEL_PATH = /[/\\]|\.(?:[cm]?[jt]s|py)$/;

/** Returns true for the path of a model file, false for the name of a built-in model. */
export function isModelPath(nameOrPath: string): boolean {
  return MODEL_PATH.test(nameOrPath);
}

/** Returns true for the path of a model file in Python. */
export function isPythonPath(nameOrPath: string): boolean {
  return nameOrPath.endsWith(".py");
}

/** Returns the name of a model file without folder and extension; undefined for the name of a built-in model. */
export function fileName(nameOrPath: string): string | undefined {
  return isModelPath(nameOrPath) ? parse(nameOrPath).name : undefined;
}

/**
 * Returns a sentence for each problem with the name and the settings of a model, as far as they can be found without
 * loading it. The settings of a model file are checked when a worker loads it.
 */
export function validateModelSettings(nameOrPath: string, settings: Readonly<Record<string, unknown>>): string[] {
  if (isModelPath(nameOrPath)) return findMissingFile(nameOrPath);
  const module = BUILT_IN.get(nameOrPath);
  return module === undefined ? [unknownModel(nameOrPath)] : resolveSettings(module, settings).problems;
}

/** Returns the settings of a built-in model; none for others. */
export function describeModelSettings(nameOrPath: string): SettingDescriptions {
  return BUILT_IN.get(nameOrPath)?.settings ?? {};
}

/**
 * Returns the most requests of HTTP that a worker of a model makes at once, checks of engines included, as far as the
 * program knows: 0 for models from files.
 */
export function concurrentRequests(nameOrPath: string, configured: Readonly<Record<string, unknown>>): number {
  if (nameOrPath !== remote.name) return 0;
  const { settings } = resolveSettings(remote, configured);
  return (fieldValue(remote, "concurrency", settings) ?? 0) + engineUrls(settings).length;
}

/** Returns the URLs of the inference servers of a model, which must be valid; none for models that compute here. */
export function enginesOf(nameOrPath: string, configured: Readonly<Record<string, unknown>>): readonly string[] {
  return nameOrPath === remote.name ? engineUrls(resolveSettings(remote, configured).settings) : [];
}

/** Returns the number of workers that a model has by default; undefined: one for each processor. */
export function defaultWorkers(nameOrPath: string): number | undefined {
  // A worker that waits for an engine needs no processor.
  return nameOrPath === remote.name ? 1 : undefined;
}

/** Returns the sentence about a name that no built-in model has. */
export function unknownModel(name: string): string {
  const meant = nearestName(name, BUILT_IN.keys());
  const hint = meant === undefined ? `built in: ${builtInModels.join(", ")}` : `did you mean "${meant}"?`;
  return `unknown model ${JSON.stringify(name)}; ${hint} (a model file is named by its path, such as ./${name}.ts)`;
}

function findMissingFile(path: string): string[] {
  const absolute = resolve(path);
  const stat = statSync(absolute, { throwIfNoEntry: false });
  if (stat?.isFile()) return [];
  const problem = stat === undefined ? "there is no such file" : "it is not a file";
  return [`name: ${JSON.stringify(path)}: ${problem}; looked for ${absolute}`];
}
