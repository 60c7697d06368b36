import type { MetricRegistry } from "../metric-registry.ts";

/** Limits at which connections are closed; the metric `streamer_connections_closed_total` explains each. */
export const CONNECTION_LIMITS = ["address", "all"] as const;

/** Connections of clients, whether or not they have a session. */
export function connectionFamilies(registry: MetricRegistry) {
  return {
    open: registry.gauge("streamer_connections", "Open connections of clients, with and without a session."),
    closed: registry.counter(
      "streamer_connections_closed_total",
      "Connections without a session that were closed because there were too many: of one address, or in all.",
      ["limit"],
    ),
  };
}
