import type { MetricRegistry } from "../metric-registry.ts";

/** Workers: threads, or processes. */
export function workerFamilies(registry: MetricRegistry) {
  return {
    count: registry.gauge("streamer_workers", "Workers: idle, busy or starting (loading, or about to load).", [
      "model",
      "state",
    ]),
    abandoned: registry.gauge(
      "streamer_workers_abandoned",
      "Workers that were replaced because a call or the load took too long, and that have not ended.",
      ["model"],
    ),
    starts: registry.counter("streamer_worker_starts_total", "Started workers.", ["model"]),
    restarts: registry.counter("streamer_worker_restarts_total", "Workers started to replace another.", ["model"]),
    deaths: registry.counter(
      "streamer_worker_deaths_total",
      "Ended workers: error (the model threw outside of a call), exit, timeout (replaced after " +
        "inference_timeout_ms), load (could not be loaded).",
      ["model", "cause"],
    ),
    memory: registry.gauge(
      "streamer_worker_memory_bytes",
      "Resident memory of the processes that are workers; 0 when workers are threads.",
      ["model"],
    ),
  };
}
