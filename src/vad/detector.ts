import type { Samples } from "../native/samples.ts";
import type { EnergyVad } from "../native/vad.ts";
import type { VadSettings } from "../protocol/vad-settings.ts";

/**
 * Receives the decision about one window.
 * @param levelDb level of the window, dBFS: 0 is a mean power of 1, which a full-scale square wave has
 */
export type Decide = (speech: boolean, levelDb: number) => void;

/**
 * Voice activity detector of one channel: samples in, one decision a window out. Synchronous and chunk invariant:
 * samples of an incomplete window wait for the next `push`, so decisions and levels do not depend on how the samples
 * are cut.
 */
export interface Detector extends Disposable {
  /**
   * Samples of a window, 1 or more. Window i covers samples i * windowSamples to (i + 1) * windowSamples, exclusive.
   */
  readonly windowSamples: number;

  /** The detector itself, when it is one of the C library: it may be run instead of calling `push`. */
  readonly native?: EnergyVad;

  /**
   * Reads `samples[index .. index + length)` and calls `decide` for each window that they complete, in order. Detectors
   * in C take the samples as they are; `viewOf` returns them to those in TypeScript.
   */
  push(samples: Samples, index: number, length: number, decide: Decide): void;
}

/** Settings that detectors read. The other settings of `vad` are those of the endpointer. */
export type DetectorSettings = Pick<VadSettings, "threshold_db" | "floor_dbfs">;

/** One kind of detector. `tests/contracts/detectors.test.ts` holds what all kinds have in common. */
export interface DetectorKind {
  /** The noise floor that `threshold_db` counts from, in a few words for the description of the setting. */
  readonly noiseFloor: string;
  /**
   * True: the noise floor is never below `floor_dbfs`, so that nothing below `floor_dbfs` + `threshold_db` is speech, and
   * levels leave out hum and rumble, so that speech below it is reported as `too_quiet`. False: the kind has no such
   * setting.
   */
  readonly usesFloor: boolean;
  /** Length of a window in milliseconds. A window is this long give or take half a sample. */
  readonly windowMs: number;
  /** Returns a detector for one channel. @param sampleRate Hz, MIN_SAMPLE_RATE to MAX_SAMPLE_RATE */
  create(sampleRate: number, settings: DetectorSettings): Detector;
}
