import type { MetricRegistry } from "../metric-registry.ts";
import { DURATION_SECONDS, SPEECH_END_SECONDS } from "./buckets.ts";

/** Delay of final results, as a client experiences it. */
export function resultFamilies(registry: MetricRegistry) {
  return {
    speechEndToFinal: registry.histogram(
      "streamer_speech_end_to_final_seconds",
      "Time from the end of speech, in real time, to the final result. Includes the silence that proves the end.",
      SPEECH_END_SECONDS,
      ["model"],
    ),
    latency: registry.histogram(
      "streamer_result_latency_seconds",
      "Time from the message that completed a span of audio to its final result, model time included.",
      DURATION_SECONDS,
      ["pattern", "model"],
    ),
    lag: registry.histogram(
      "streamer_result_lag_seconds",
      "Audio received beyond a final result when it was sent.",
      DURATION_SECONDS,
      ["pattern", "model"],
    ),
  };
}
