import type { MetricRegistry } from "../metric-registry.ts";

/** Worker threads. */
export function workerFamilies(registry: MetricRegistry) {
  return {
    count: registry.gauge("streamer_workers", "Worker threads: idle, busy or starting (loading, or about to load).", [
      "model",
      "state",
    ]),
    abandoned: registry.gauge(
      "streamer_workers_abandoned",
      "Worker threads that were replaced because a call or the load took too long, and that have not ended.",
      ["model"],
    ),
    starts: registry.counter("streamer_worker_starts_total", "Started worker threads.", ["model"]),
    restarts: registry.counter("streamer_worker_restarts_total", "Worker threads started to replace another.", [
      "model",
    ]),
    deaths: registry.counter(
      "streamer_worker_deaths_total",
      "Ended worker threads: error (the model threw outside of a call), exit, timeout (replaced after " +
        "inference_timeout_ms), load (could not be loaded).",
      ["model", "cause"],
    ),
  };
}
