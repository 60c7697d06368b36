import { decibels } from "../lib/decibels.ts";
import { type Samples, viewOf } from "../native/samples.ts";
import type { Decide, Detector, DetectorKind } from "./detector.ts";

const WINDOW_MS = 20;

/**
 * The level in dBFS that `threshold_db` counts from: about that of a quiet room in a microphone of normal gain. With
 * the default of 10 dB the threshold is -40 dBFS, below speech at arm's length, which has -35 to -15 dBFS.
 */
export const REFERENCE_DBFS = -50;

/**
 * The simplest detector, a baseline: a window is speech when its mean power, DC and hum included, reaches a level that
 * never changes. It works at a known recording level in a quiet room. Steady noise above the threshold is speech to it.
 */
export class FixedThreshold implements Detector {
  readonly windowSamples: number;
  readonly #thresholdDb: number;
  /**
   * Sum of the squares of the incomplete window, added sample by sample: the order does not depend on how they are cut.
   */
  #squares = 0;
  #filled = 0;

  /** @param sampleRate Hz; @param thresholdDb dB above REFERENCE_DBFS */
  constructor(sampleRate: number, thresholdDb: number) {
    this.windowSamples = Math.round((sampleRate * WINDOW_MS) / 1000);
    this.#thresholdDb = REFERENCE_DBFS + thresholdDb;
  }

  push(samples: Samples, index: number, length: number, decide: Decide): void {
    for (const sample of viewOf(samples, index, length)) {
      this.#squares += sample * sample;
      this.#filled += 1;
      if (this.#filled === this.windowSamples) this.#decide(decide);
    }
  }

  #decide(decide: Decide): void {
    const levelDb = decibels(Math.sqrt(this.#squares / this.windowSamples));
    this.#squares = 0;
    this.#filled = 0;
    decide(levelDb >= this.#thresholdDb, levelDb);
  }

  /** Owns nothing. */
  [Symbol.dispose](): void {}
}

export const fixedThreshold: DetectorKind = {
  noiseFloor: `${REFERENCE_DBFS} dBFS`,
  usesFloor: false,
  windowMs: WINDOW_MS,
  create: (sampleRate, { threshold_db }) => new FixedThreshold(sampleRate, threshold_db),
};
