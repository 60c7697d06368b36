import type { MetricRegistry } from "../metric-registry.ts";

/** Sessions: one connection's conversation each. */
export function sessionFamilies(registry: MetricRegistry) {
  return {
    active: registry.gauge("streamer_sessions_active", "Open connections."),
    opened: registry.counter("streamer_sessions_opened_total", "Accepted connections.", ["pattern", "dialect"]),
    refused: registry.counter(
      "streamer_sessions_refused_total",
      "Connections refused before the upgrade, by error code.",
      ["reason"],
    ),
    closed: registry.counter(
      "streamer_sessions_closed_total",
      "Closed connections: stop (requested by the client), client (left with no stream open), vanished (left during " +
        "a stream), draining, or an error code.",
      ["reason"],
    ),
    paused: registry.gauge("streamer_sessions_paused", "Connections from which the server is not reading now."),
    pauses: registry.counter(
      "streamer_pauses_total",
      "Times that the server stopped reading from a connection, so that TCP holds the client back.",
    ),
    pausedSeconds: registry.counter(
      "streamer_paused_seconds_total",
      "Time during which the server did not read from a connection, summed over all connections.",
    ),
  };
}
