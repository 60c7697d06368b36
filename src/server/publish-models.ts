import type { ModelSize } from "../capacity/model-load.ts";
import { PATTERNS } from "../pipeline/patterns.ts";
import type { ServedModel, Services } from "../stream/services.ts";
import { presetModelSeries } from "../telemetry/metrics/preset-series.ts";

/**
 * Lets new streams use these models and no others, and tells those who count on their names and sizes.
 * @param served receives the models, the default first
 */
export function publishModels(
  models: ReadonlyMap<string, ServedModel>,
  sizes: ReadonlyMap<string, ModelSize>,
  served: Map<string, ServedModel>,
  { admission, metrics }: Pick<Services, "admission" | "metrics">,
): void {
  // What has been measured of a model that was not reloaded stays.
  const loaded = [...sizes].filter(([name]) => models.get(name)?.generation !== served.get(name)?.generation);
  for (const [name, size] of loaded) admission.headroom.modelLoaded(name, size);
  served.clear();
  for (const [name, model] of models) served.set(name, model);
  presetModelSeries(metrics, Object.keys(PATTERNS), models.keys());
}
