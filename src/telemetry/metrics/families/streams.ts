import type { MetricRegistry } from "../metric-registry.ts";

const LABELS = ["pattern", "model"] as const;

/** Streams, from `start` to `stopped`: one at a time in a session. */
export function streamFamilies(registry: MetricRegistry) {
  return {
    active: registry.gauge("streamer_streams_active", "Open streams.", LABELS),
    started: registry.counter("streamer_streams_started_total", "Started streams.", LABELS),
    resumed: registry.counter("streamer_streams_resumed_total", "Streams that went on here from a checkpoint.", LABELS),
    refused: registry.counter("streamer_streams_refused_total", "Refused starts, by error code.", ["reason"]),
    shed: registry.counter("streamer_streams_shed_total", "Streams that were ended to free audio memory for others."),
    overloaded: registry.counter(
      "streamer_overload_refusals_total",
      "Streams refused because the server had no room: resource is memory, workers, wait (results are late) or " +
        "main_thread; stage is upgrade or start.",
      ["resource", "stage"],
    ),
    stopped: registry.counter(
      "streamer_streams_stopped_total",
      "Ended streams: stop, restart, drain, error, limit (the reasons of the event stopped) or vanished (the client " +
        "had left).",
      ["pattern", "model", "reason"],
    ),
    channelsActive: registry.gauge("streamer_channels_active", "Audio channels of open streams.", LABELS),
    channelsStarted: registry.counter("streamer_channels_started_total", "Audio channels of started streams.", LABELS),
  };
}
