import type { MetricRegistry } from "../metric-registry.ts";

/** Outcomes of a trace span; the metric `streamer_spans_total` explains each. */
export const SPAN_FATES = ["recorded", "exported", "failed"] as const;
export type SpanFate = (typeof SPAN_FATES)[number];

/** State of the server as a whole. */
export function serverFamilies(registry: MetricRegistry) {
  return {
    capacity: registry.gauge(
      "streamer_capacity_streams",
      "Estimated number of real-time streams that each resource could carry, from measured cost: event_loop, " +
        "processor, workers, memory, or sessions (the configured limit). The least counts.",
      ["resource"],
    ),
    spans: registry.counter(
      "streamer_spans_total",
      "Trace spans: recorded, exported, failed. Recorded spans that are neither exported nor failed are waiting or " +
        "were dropped.",
      ["fate"],
    ),
    ready: registry.gauge("streamer_ready", "1 while the server accepts streams, 0 while it loads or drains."),
    buildInfo: registry.gauge("streamer_build_info", "1, with the versions of Streamer, its protocol and Bun.", [
      "version",
      "protocol",
      "bun",
    ]),
  };
}
