import type { MetricRegistry } from "../metric-registry.ts";

const LABELS = ["pattern", "model"] as const;

/** Audio by its entry in the ledger, in seconds summed over all channels. */
export function audioFamilies(registry: MetricRegistry) {
  return {
    received: registry.counter(
      "streamer_audio_received_seconds_total",
      "Received audio, in seconds of all channels.",
      LABELS,
    ),
    inferred: registry.counter(
      "streamer_audio_inferred_seconds_total",
      "Audio covered by final results, in seconds of all channels.",
      LABELS,
    ),
    silent: registry.counter(
      "streamer_audio_silent_seconds_total",
      "Audio skipped as silence, in seconds of all channels.",
      LABELS,
    ),
    failed: registry.counter(
      "streamer_audio_failed_seconds_total",
      "Audio covered by errors, in seconds of all channels.",
      LABELS,
    ),
    unanswered: registry.gauge(
      "streamer_audio_unanswered_seconds",
      "Audio received since the start of the oldest pending result, in seconds of all channels.",
      LABELS,
    ),
  };
}
