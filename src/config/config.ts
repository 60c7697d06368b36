import { parse } from "node:path";

import { hideSecret, REDACTED } from "../lib/secrets.ts";
import { defaultWorkers, isPythonPath } from "../model/models.ts";
import { ownSettings } from "../model/own-settings.ts";
import { unknownSetting } from "../model/settings.ts";
import { parseAdminAddress } from "./admin-address.ts";
import { nearMisses } from "./near-misses.ts";
import { portProblems } from "./port-problems.ts";
import { type ConfigEntry, Resolution } from "./resolution.ts";
import { type Config, MODEL_SETTINGS, type ModelConfig, SETTINGS } from "./settings.ts";
import { type ConfigSources, readSources } from "./sources.ts";
import { streamProblems } from "./stream-check.ts";

export { holdMs } from "./stream-check.ts";

export { SETTINGS, MODEL_SETTINGS, MAX_PROCESSES } from "./settings.ts";
export type { Config, ModelConfig } from "./settings.ts";

/** The effective configuration, and the source of each value. */
export interface EffectiveConfig {
  readonly config: Config;
  readonly entries: readonly ConfigEntry[];
  /** A sentence for each thing that has no effect although it looks like a setting. */
  readonly warnings: readonly string[];
}

/** Returns one sentence for each fault in a model's own settings. `name` is the model's `name` setting. */
export type ValidateModelSettings = (name: string, settings: Readonly<Record<string, unknown>>) => readonly string[];

/** Returns the default value and the unit of each of a model's own settings, by key. */
export type DescribeModelSettings = (name: string) => Readonly<Record<string, { default: unknown; unit?: string }>>;

/** The configuration is not valid. `problems` lists every fault, a sentence each: key, value found, allowed, source. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}

/** Validation and defaults of models' own settings. Passed in, so that this folder does not depend on any model. */
export interface ModelSettingsHooks {
  readonly validateModelSettings?: ValidateModelSettings;
  readonly describeModelSettings?: DescribeModelSettings;
}

/**
 * Loads the configuration. Precedence, lowest first: defaults, file, environment, flags, `--set`. Throws ConfigError
 * with all problems at once.
 */
export function loadConfig(sources: ConfigSources & ModelSettingsHooks = {}): EffectiveConfig {
  const resolution = new Resolution();
  for (const given of readSources(sources, resolution.problems)) resolution.add(given);
  resolution.resolveAuto();
  const hostProblems = resolveIsolation(resolution);
  resolveWorkers(resolution);

  const config = buildConfig(resolution);
  const problems = [
    ...resolution.problems,
    ...contradictions(config, resolution),
    ...hostProblems,
    ...modelProblems(config, resolution, sources.validateModelSettings),
  ];
  if (problems.length > 0) throw new ConfigError(problems);
  return {
    config,
    entries: withModelDefaults(config, resolution, sources.describeModelSettings),
    warnings: nearMisses(sources.env ?? {}, [...resolution.entries.keys()]),
  };
}

/**
 * Returns all entries, with the defaults of models' own settings added and the keys of each model next to each other.
 */
function withModelDefaults(
  config: Config,
  { entries }: Resolution,
  describe: DescribeModelSettings = () => ({}),
): ConfigEntry[] {
  const left = new Map(entries);
  const models = eachModel(config).flatMap(([prefix, { name }]) => {
    for (const [setting, { default: value, unit = "" }] of Object.entries(describe(name))) {
      const key = `${prefix}.${setting}`;
      // A setting without a default has no value to be shown.
      if (value === undefined && !left.has(key)) continue;
      left.set(key, { key, value, source: "default", ...left.get(key), unit });
    }
    const own = [...left.values()].filter(({ key }) => key.startsWith(`${prefix}.`));
    for (const { key } of own) left.delete(key);
    return own;
  });
  return [...left.values(), ...models];
}

function eachModel(config: Config): [string, ModelConfig][] {
  return [
    ["model", config.model],
    ...Object.entries(config.models).map(([name, model]): [string, ModelConfig] => [`models.${name}`, model]),
  ];
}

function buildConfig(resolution: Resolution): Config {
  // The cast is safe: the tables of settings and Config have the same keys, and `accepts` checked every value.
  const section = (name: string, table: object) =>
    Object.fromEntries(Object.keys(table).map((key) => [key, resolution.value(`${name}.${key}`)]));
  const model = (prefix: string) => ({
    ...section(prefix, MODEL_SETTINGS),
    env: resolution.variables(prefix),
    settings: resolution.ownSettings(prefix),
  });
  const sections = Object.entries(SETTINGS).map(([name, table]) => [name, section(name, table)]);
  return {
    ...Object.fromEntries(sections),
    model: model("model"),
    models: Object.fromEntries([...resolution.models].map((name) => [name, model(`models.${name}`)])),
  } as Config;
}

/** One sentence for each contradiction between settings that are valid on their own. */
function contradictions(config: Config, resolution: Resolution): string[] {
  const { vad, limits } = config;
  const problems: string[] = [];
  const check = (holds: boolean, key: string, other: string, relation: string) => {
    if (holds || resolution.refused.has(key) || resolution.refused.has(other)) return;
    const [entry, against] = [resolution.entries.get(key), resolution.entries.get(other)];
    problems.push(
      `${key}: found ${String(entry?.value)} (${entry?.source}); allowed: ${relation} ${other}, ` +
        `which is ${String(against?.value)} (${against?.source})`,
    );
  };
  check(vad.post_roll_ms <= vad.min_silence_ms, "vad.post_roll_ms", "vad.min_silence_ms", "at most");
  const address = parseAdminAddress(config.server.admin);
  if (address === undefined && config.server.admin_only.length > 0) {
    problems.push("server.admin_only: found routes without an address for them; allowed: together with server.admin");
  }
  if (address !== undefined && "host" in address && !address.isLoopback && config.auth.tokens === "none") {
    problems.push(
      `server.admin: found ${config.server.admin} (${resolution.entries.get("server.admin")?.source}), which other ` +
        "machines can reach; allowed: a loopback address or unix:PATH, or any address together with auth.tokens",
    );
  }
  const shown = (key: string) =>
    `${String(resolution.entries.get(key)?.value)} (${resolution.entries.get(key)?.source})`;
  problems.push(...portProblems(config, shown));
  const budget = "limits.channel_budget_seconds";
  const held = resolution.entries.get(budget);
  for (const problem of streamProblems(config)) {
    problems.push(`${problem} (${budget} is ${String(held?.value)}, ${held?.source})`);
  }
  check(limits.read_ahead_seconds <= limits.channel_budget_seconds, "limits.read_ahead_seconds", budget, "at most");
  for (const name of resolution.models) {
    // The default model keeps the name of its file, without folder and extension, beside the name that it exports.
    if (name === parse(config.model.name).name) {
      problems.push(`models.${name}: is already the name of the default model; allowed: another name`);
    }
  }
  return problems;
}

/** Where each model is in the configuration. */
function prefixesOf(resolution: Resolution): string[] {
  return ["model", ...[...resolution.models].map((name) => `models.${name}`)];
}

/** Sets the number of workers of models that need another one than most, if it is not configured. */
function resolveWorkers(resolution: Resolution): void {
  for (const prefix of prefixesOf(resolution)) {
    const entry = resolution.entries.get(`${prefix}.workers`);
    const value = defaultWorkers(String(resolution.value(`${prefix}.name`)));
    if (value === undefined || entry?.source !== "default") continue;
    resolution.entries.set(`${prefix}.workers`, { ...entry, value });
  }
}

/** Makes each model in Python run in processes. Returns a sentence for each that is to run otherwise. */
function resolveIsolation(resolution: Resolution): string[] {
  return prefixesOf(resolution).flatMap((prefix) => {
    const key = `${prefix}.isolation`;
    const entry = resolution.entries.get(key);
    if (entry?.value !== "thread" || !isPythonPath(String(resolution.value(`${prefix}.name`)))) return [];
    if (entry.source !== "default") return [`${key}: found thread (${entry.source}); allowed for a .py file: process`];
    resolution.entries.set(key, { ...entry, value: "process" });
    return [];
  });
}

function modelProblems(config: Config, resolution: Resolution, validate: ValidateModelSettings | undefined): string[] {
  if (validate === undefined) return [];
  const absent = resolution.absentOwn.flatMap(([prefix, name]) => {
    const model = String(resolution.value(`${prefix}.name`));
    const known = Object.keys(ownSettings(model) ?? { [name]: undefined });
    return known.includes(name) ? [] : [`${prefix}: ${unknownSetting(name, known)}`];
  });
  const found = eachModel(config).flatMap(([prefix, model]) =>
    validate(model.name, model.settings).map(
      (problem) => `${prefix}: ${problem}${sourceOfProblem(problem, prefix, resolution)}`,
    ),
  );
  return [...absent, ...found];
}

/** Returns the source, in parentheses, of the setting that `problem` names; an empty string if it names none. */
function sourceOfProblem(problem: string, prefix: string, resolution: Resolution): string {
  const words = new Set(problem.split(/[^A-Za-z0-9_]+/));
  for (const { key, source } of resolution.entries.values()) {
    if (source !== "default" && key.startsWith(`${prefix}.`) && words.has(key.slice(prefix.length + 1))) {
      return ` (${source})`;
    }
  }
  return "";
}

/** A setting of a model may be a secret; those of the server name files. */
function shownValue({ key, value }: ConfigEntry): string {
  const isModels = /^models?\./.test(key);
  const name = key.slice(key.lastIndexOf(".") + 1);
  // Of a remote model: any may be one.
  if (isModels && /\.headers\.[^.]+$/.test(key)) return JSON.stringify(REDACTED);
  return isModels ? JSON.stringify(hideSecret(name, value), hideSecret) : JSON.stringify(value);
}

/** Returns the entries whose values are secrets, which are not shown. */
export function secretEntries(entries: readonly ConfigEntry[]): ConfigEntry[] {
  return entries.filter((entry) => shownValue(entry) !== JSON.stringify(entry.value));
}

/** Formats the effective configuration as aligned columns, one line for each key: key, value with unit, source. */
export function formatConfig(entries: readonly ConfigEntry[]): string {
  const rows = entries.map((entry) => [entry.key, `${shownValue(entry)} ${entry.unit}`.trim(), entry.source]);
  // A long list would push the sources of all other keys out of the window.
  const isList = entries.map(({ value }) => Array.isArray(value) && value.length > 0);
  const width = (column: number) =>
    Math.max(...rows.map((row, index) => (column > 0 && isList[index] ? 0 : (row[column]?.length ?? 0))));
  const [keyWidth, valueWidth] = [width(0), width(1)];
  return rows
    .map(([key = "", value = "", source = ""]) => `${key.padEnd(keyWidth)}  ${value.padEnd(valueWidth)}  ${source}\n`)
    .join("");
}
