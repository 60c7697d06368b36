import type { Config, ModelConfig } from "../../config/config.ts";
import { defaultWorkers } from "../../model/models.ts";

/**
 * Returns the configuration of one of several processes: its part of the audio memory and of the workers, the rest as it
 * is. The parts of all processes add up to the whole, unless that is less than one for each.
 * @param number 1 to `count`
 */
export function divideConfig(config: Config, number: number, count: number): Config {
  const part = (whole: number): number => Math.max(1, Math.floor(whole / count) + (number <= whole % count ? 1 : 0));
  const divideModel = (model: ModelConfig): ModelConfig => ({ ...model, workers: part(model.workers) });
  return {
    ...config,
    limits: { ...config.limits, arena_mb: part(config.limits.arena_mb) },
    model: divideModel(config.model),
    models: Object.fromEntries(Object.entries(config.models).map(([name, model]) => [name, divideModel(model)])),
  };
}

/** Returns a sentence for each setting that cannot be divided by `count`, because every process needs at least one. */
export function divisionWarnings(config: Config, count: number): string[] {
  const models = [["model", config.model] as const, ...Object.entries(config.models).map(prefixed)];
  const values = [
    ["limits.arena_mb", config.limits.arena_mb] as const,
    ...models
      .filter(([, model]) => !hasFew(model))
      .map(([prefix, { workers }]) => [`${prefix}.workers`, workers] as const),
  ];
  return values
    .filter(([, value]) => value < count)
    .map(([key, value]) => `${key}: found ${value}, less than one for each of ${count} processes; each gets 1`);
}

/** Returns true if a model needs no more workers than it has, however many processes there are. */
function hasFew({ name, workers }: ModelConfig): boolean {
  return workers === defaultWorkers(name);
}

function prefixed([name, model]: [string, ModelConfig]): readonly [string, ModelConfig] {
  return [`models.${name}`, model];
}
