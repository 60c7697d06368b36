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
  served.clear();
  for (const [name, model] of models) served.set(name, model);
  for (const [name, size] of sizes) admission.headroom.modelLoaded(name, size);
  presetModelSeries(metrics, Object.keys(PATTERNS), models.keys());
}
