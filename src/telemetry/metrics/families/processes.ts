import type { MetricRegistry } from "../metric-registry.ts";

/** States of the processes of a server; the metric `streamer_processes` explains each. */
export const PROCESS_STATES = ["starting", "ready", "draining", "waiting"] as const;
export type ProcessState = (typeof PROCESS_STATES)[number];

/** The processes of a server that has several. */
export function processFamilies(registry: MetricRegistry) {
  return {
    count: registry.gauge(
      "streamer_processes",
      "Processes of the server: starting (loading models), ready, draining (finishing its streams), or waiting (for its " +
        "next start after a failure).",
      ["state"],
    ),
    starts: registry.counter("streamer_process_starts_total", "Started processes."),
    deaths: registry.counter(
      "streamer_process_deaths_total",
      "Processes that ended although the server did not ask them to: exit (by themselves), signal (killed), " +
        "unresponsive (killed by the supervisor).",
      ["cause"],
    ),
    logDropped: registry.counter(
      "streamer_log_lines_dropped_total",
      "Log lines that were not written, because the reader of the log was too slow or the disk was full.",
    ),
  };
}
