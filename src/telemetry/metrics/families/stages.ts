import type { Histogram } from "../histogram.ts";
import type { Counter } from "../instruments.ts";
import type { MetricRegistry } from "../metric-registry.ts";
import { MODEL_REAL_TIME_FACTORS, NATIVE_REAL_TIME_FACTORS } from "./buckets.ts";

/**
 * A stage that audio passes through. The C library decodes and decides about windows in one call, which `decode` covers;
 * `vad` is what follows from these decisions, and the windows of detectors in TypeScript.
 */
export type AudioStage = "decode" | "vad" | "inference";

/** Stages of the audio. The real-time factor of a stage is its processing seconds / its media seconds. */
export function stageFamilies(registry: MetricRegistry) {
  return {
    processingSeconds: registry.counter(
      "streamer_stage_processing_seconds_total",
      "Processing time by stage; decode and vad are estimated from one message in 16.",
      ["stage"],
    ),
    mediaSeconds: registry.counter(
      "streamer_stage_media_seconds_total",
      "Audio processed in the time of streamer_stage_processing_seconds_total.",
      ["stage"],
    ),
    realTimeFactor: registry.histogram(
      "streamer_stage_real_time_factor",
      "Processing time / audio time, of messages (decode and vad, one in 16) and of model calls (inference).",
      ({ stage }) => (stage === "inference" ? MODEL_REAL_TIME_FACTORS : NATIVE_REAL_TIME_FACTORS),
      ["stage"],
    ),
  };
}

export interface StageInstruments {
  readonly processingSeconds: Counter;
  readonly mediaSeconds: Counter;
  readonly realTimeFactor: Histogram;
}

export function stageInstruments(families: ReturnType<typeof stageFamilies>, stage: AudioStage): StageInstruments {
  return {
    processingSeconds: families.processingSeconds.with({ stage }),
    mediaSeconds: families.mediaSeconds.with({ stage }),
    realTimeFactor: families.realTimeFactor.with({ stage }),
  };
}
