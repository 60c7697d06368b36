import type { Samples } from "../native/samples.ts";
import { EnergyVad } from "../native/vad.ts";
import type { Decide, Detector, DetectorKind, DetectorSettings } from "./detector.ts";

/** Windows of one native call, at most. */
const BATCH_WINDOWS = 512;

/** Results of one native call. Detectors are synchronous, so all of this thread share them. */
const speech = new Uint8Array(BATCH_WINDOWS);
const levels = new Float32Array(BATCH_WINDOWS);

/**
 * Detector of the C library: a window is speech when its level is `threshold_db` above a noise floor that follows the
 * room. Levels leave out DC and hum; `native/vad.c` describes the method.
 */
export class EnergyDetector implements Detector {
  readonly windowSamples: number;
  readonly native: EnergyVad;

  /** @param sampleRate Hz. Throws RangeError. */
  constructor(sampleRate: number, { threshold_db, floor_dbfs }: DetectorSettings) {
    this.native = new EnergyVad(sampleRate, threshold_db, floor_dbfs);
    this.windowSamples = this.native.windowSamples;
  }

  push(samples: Samples, index: number, length: number, decide: Decide): void {
    // An incomplete window of the call before may add one to the windows that the batch completes.
    const batch = (BATCH_WINDOWS - 1) * this.windowSamples;
    for (let done = 0; done < length; done += batch) {
      const windows = this.native.process(samples, index + done, Math.min(batch, length - done), speech, levels);
      for (let i = 0; i < windows; i++) decide(speech[i] === 1, levels[i] ?? 0);
    }
  }

  [Symbol.dispose](): void {
    this.native[Symbol.dispose]();
  }
}

export const energy: DetectorKind = {
  noiseFloor: "follows the room",
  usesFloor: true,
  windowMs: 10,
  create: (sampleRate, settings) => new EnergyDetector(sampleRate, settings),
};
