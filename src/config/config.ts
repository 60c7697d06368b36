import { parse } from "node:path";

import { type Entry, Resolution } from "./resolution.ts";
import { type Config, MODEL_SETTINGS, type ModelConfig, SETTINGS } from "./settings.ts";
import { gather, type Sources } from "./sources.ts";

export { SETTINGS, MODEL_SETTINGS } from "./settings.ts";
export type { Config, ModelConfig } from "./settings.ts";

/** The configuration in force, and for each key where its value came from. */
export interface Effective {
  readonly config: Config;
  readonly entries: readonly Entry[];
}

/**
 * One sentence for each thing that is wrong with a model's own settings. `name` is the model's `name` setting. The
 * models live in a layer that configuration does not know, so the caller brings this.
 */
export type ModelCheck = (name: string, settings: Readonly<Record<string, unknown>>) => readonly string[];

/** What a model's own settings are when nobody sets them, by name, and in which unit. */
export type ModelDescription = (name: string) => Readonly<Record<string, { default: unknown; unit?: string }>>;

export class ConfigError extends Error {
  override readonly name = "ConfigError";
  /** One sentence each: the key, what was found, what is allowed, and who gave it. */
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}

/** What the configuration is told about the models. */
export interface ModelFacts {
  readonly validateModelSettings?: ModelCheck;
  readonly describeModelSettings?: ModelDescription;
}

/** Defaults, then the file, then the environment, then flags, then `--set`. Throws ConfigError with all problems at once. */
export function loadConfig(sources: Sources & ModelFacts = {}): Effective {
  const resolution = new Resolution();
  for (const given of gather(sources, resolution.problems)) resolution.add(given);

  const config = assemble(resolution);
  const problems = [
    ...resolution.problems,
    ...contradictions(config, resolution),
    ...modelProblems(config, resolution, sources.validateModelSettings),
  ];
  if (problems.length > 0) throw new ConfigError(problems);
  return { config, entries: withModelDefaults(config, resolution, sources.describeModelSettings) };
}

/** The entries in force, model by model, with those of a model's own settings that nobody set. */
function withModelDefaults(config: Config, { entries }: Resolution, describe: ModelDescription = () => ({})): Entry[] {
  const left = new Map(entries);
  const models = eachModel(config).flatMap(([prefix, { name }]) => {
    for (const [setting, { default: value, unit = "" }] of Object.entries(describe(name))) {
      const key = `${prefix}.${setting}`;
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

function assemble(resolution: Resolution): Config {
  // The tables of settings and of values have the same keys: each value below was accepted by its setting.
  const section = (name: string, table: object) =>
    Object.fromEntries(Object.keys(table).map((key) => [key, resolution.value(`${name}.${key}`)]));
  const model = (prefix: string) => ({
    ...section(prefix, MODEL_SETTINGS),
    settings: resolution.ownSettings(prefix),
  });
  const sections = Object.entries(SETTINGS).map(([name, table]) => [name, section(name, table)]);
  return {
    ...Object.fromEntries(sections),
    model: model("model"),
    models: Object.fromEntries([...resolution.models].map((name) => [name, model(`models.${name}`)])),
  } as Config;
}

/** What is wrong between settings that are each right. */
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
  const longestSeconds = (vad.pre_roll_ms + vad.max_utterance_ms) / 1_000;
  const budget = "limits.channel_budget_seconds";
  check(
    limits.channel_budget_seconds > longestSeconds,
    budget,
    "vad.max_utterance_ms",
    "more than vad.pre_roll_ms and",
  );
  check(limits.channel_budget_seconds > config.simple.block_ms / 1_000, budget, "simple.block_ms", "more than");
  check(limits.read_ahead_seconds <= limits.channel_budget_seconds, "limits.read_ahead_seconds", budget, "at most");
  for (const name of resolution.models) {
    // A client calls a model file by its name without folder and extension.
    if (name === parse(config.model.name).name) {
      problems.push(`models.${name}: is already the name of the default model; allowed: another name`);
    }
  }
  return problems;
}

function modelProblems(config: Config, resolution: Resolution, check: ModelCheck | undefined): string[] {
  if (check === undefined) return [];
  return eachModel(config).flatMap(([prefix, model]) =>
    check(model.name, model.settings).map((problem) => `${prefix}: ${problem}${whoSaid(problem, prefix, resolution)}`),
  );
}

/** The source of the setting that a model complains about, when the complaint names one. */
function whoSaid(problem: string, prefix: string, resolution: Resolution): string {
  const words = new Set(problem.split(/[^A-Za-z0-9_]+/));
  for (const { key, source } of resolution.entries.values()) {
    if (source !== "default" && key.startsWith(`${prefix}.`) && words.has(key.slice(prefix.length + 1))) {
      return ` (${source})`;
    }
  }
  return "";
}

/** The effective configuration, one aligned line a key: key, value, unit, where it came from. */
export function printConfig(entries: readonly Entry[]): string {
  const rows = entries.map(({ key, value, unit, source }) => [key, `${JSON.stringify(value)} ${unit}`.trim(), source]);
  const width = (column: number) => Math.max(...rows.map((row) => row[column]?.length ?? 0));
  const [keyWidth, valueWidth] = [width(0), width(1)];
  return rows
    .map(([key = "", value = "", source = ""]) => `${key.padEnd(keyWidth)}  ${value.padEnd(valueWidth)}  ${source}\n`)
    .join("");
}
