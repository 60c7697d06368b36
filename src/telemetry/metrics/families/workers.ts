import type { MetricRegistry } from "../metric-registry.ts";

/** Worker threads. */
export function workerFamilies(registry: MetricRegistry) {
  return {
    count: registry.gauge("streamer_workers", "Worker threads: idle, busy or starting (loading, or about to load).", [
      "model",
      "state",
    ]),
    starts: registry.counter("streamer_worker_starts_total", "Started worker threads.", ["model"]),
    restarts: registry.counter("streamer_worker_restarts_total", "Worker threads started to replace another.", [
      "model",
    ]),
    deaths: registry.counter(
      "streamer_worker_deaths_total",
      "Ended worker threads: error (the model threw outside of a call), exit, timeout (terminated after " +
        "inference_timeout_ms), load (could not be loaded).",
      ["model", "cause"],
    ),
  };
}
