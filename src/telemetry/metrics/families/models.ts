import type { MetricRegistry } from "../metric-registry.ts";

/** Results of a reload; the metric `streamer_model_reloads_total` explains each. */
export const RELOAD_RESULTS = ["loaded", "failed", "refused"] as const;
export type ReloadedAs = (typeof RELOAD_RESULTS)[number];

/** Loads of models. */
export function modelFamilies(registry: MetricRegistry) {
  return {
    reloads: registry.counter(
      "streamer_model_reloads_total",
      "Reloads of a model: loaded, failed (it could not be loaded; the earlier one goes on), refused (too many " +
        "generations are in use).",
      ["model", "result"],
    ),
    generation: registry.gauge(
      "streamer_model_generation",
      "Generation of the model that new streams get: 1, and one more with each reload.",
      ["model"],
    ),
    loaded: registry.gauge(
      "streamer_model_generations_loaded",
      "Generations of the model that are loaded: the one for new streams, and earlier ones that streams still use.",
      ["model"],
    ),
    pinnedStreams: registry.gauge(
      "streamer_model_pinned_streams",
      "Channels whose streams a pinned model has open in its workers. Absent for other models.",
      ["model"],
    ),
    pinnedPlaces: registry.gauge(
      "streamer_model_pinned_streams_limit",
      "Channels that the workers of a pinned model may have open. Absent for other models.",
      ["model"],
    ),
  };
}
