import * as v from "valibot";

import { numberWithin, whole } from "./field.ts";

/** Smallest and largest value of each setting. `post_roll_ms` is also at most `min_silence_ms`. */
export const VAD_RANGES = {
  threshold_db: [3, 40],
  floor_dbfs: [-100, -20],
  min_speech_ms: [0, 2_000],
  min_silence_ms: [50, 5_000],
  pre_roll_ms: [0, 1_000],
  post_roll_ms: [0, 5_000],
  max_utterance_ms: [1_000, 120_000],
} as const satisfies Record<string, readonly [number, number]>;

/** Settings of the detector (decibels above the noise floor, and its lowest value) and of endpointing (milliseconds). */
export type VadSettings = Record<keyof typeof VAD_RANGES, number>;

export const VAD_DEFAULTS: Readonly<VadSettings> = {
  threshold_db: 10,
  floor_dbfs: -70,
  min_speech_ms: 100,
  min_silence_ms: 500,
  pre_roll_ms: 200,
  post_roll_ms: 100,
  max_utterance_ms: 30_000,
};

const milliseconds = (key: keyof typeof VAD_RANGES) => v.exactOptional(whole(VAD_RANGES[key][0], VAD_RANGES[key][1]));

/** Schema of `vad` in a start: any of the settings. */
export const vadSchema = v.strictObject(
  {
    threshold_db: v.exactOptional(numberWithin(...VAD_RANGES.threshold_db)),
    floor_dbfs: v.exactOptional(numberWithin(...VAD_RANGES.floor_dbfs)),
    min_speech_ms: milliseconds("min_speech_ms"),
    min_silence_ms: milliseconds("min_silence_ms"),
    pre_roll_ms: milliseconds("pre_roll_ms"),
    post_roll_ms: milliseconds("post_roll_ms"),
    max_utterance_ms: milliseconds("max_utterance_ms"),
  },
  `an object with any of ${Object.keys(VAD_RANGES).join(", ")}`,
);
