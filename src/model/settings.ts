import { describeValue } from "../lib/excerpt.ts";
import { nearestName } from "../lib/nearest-name.ts";
import { hideSecret } from "../lib/secrets.ts";
import type { ModelModule, SettingDescription } from "./model.ts";

export type SettingDescriptions = Readonly<Record<string, SettingDescription>>;

type Settings = Readonly<Record<string, unknown>>;

/**
 * Returns the settings for a model's `load`: the configured ones and the defaults of the others. `problems` has a
 * sentence for each setting that is unknown or not allowed; with problems, the model must not be loaded.
 */
export function resolveSettings(
  module: Pick<ModelModule, "settings" | "validate">,
  configured: Settings,
): { settings: Record<string, unknown>; problems: string[] } {
  const { settings: descriptions } = module;
  const settings = { ...(descriptions && defaultsOf(descriptions)), ...configured };
  const problems = module.validate?.(settings) ?? [];
  // The problems that a model finds itself are more exact than those found by its descriptions.
  if (problems.length > 0 || descriptions === undefined) return { settings, problems };
  return { settings, problems: findMisfits(descriptions, configured) };
}

/** Returns the sentence about a setting that a model does not have. */
export function unknownSetting(name: string, known: readonly string[]): string {
  const meant = nearestName(name, known);
  const hint = meant === undefined ? `allowed: ${known.join(", ") || "none"}` : `did you mean "${meant}"?`;
  return `unknown setting "${name}"; ${hint}`;
}

function defaultsOf(descriptions: SettingDescriptions): Record<string, unknown> {
  return Object.fromEntries(Object.entries(descriptions).map(([name, setting]) => [name, setting.default]));
}

/**
 * Finds unknown names, and values of another type than the default. A default of null or undefined allows all types.
 */
function findMisfits(descriptions: SettingDescriptions, configured: Settings): string[] {
  return Object.entries(configured).flatMap(([name, value]) => {
    if (!Object.hasOwn(descriptions, name)) return [unknownSetting(name, Object.keys(descriptions))];
    const preset = descriptions[name]?.default;
    if (preset === null || preset === undefined || kindOf(preset) === kindOf(value)) return [];
    return [`${name}: found ${describeValue(hideSecret(name, value))}; allowed: ${kindOf(preset)}`];
  });
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
