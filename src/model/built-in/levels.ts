import * as v from "valibot";

import { decibels } from "../../lib/decibels.ts";
import { RealFft } from "../../lib/fft.ts";
import type { Call, Model, ModelModule } from "../model.ts";
import { Yin } from "./pitch.ts";
import { findProblems } from "./setting-schema.ts";

const SAMPLE_RATE = 16_000;

/**
 * Magnitude from which a sample counts as clipped: 0.01 dB below full scale, because resampling moves samples off it.
 */
export const CLIPPED = 1 - 2 ** -10;

/** Samples of a frame of the spectrum: 32 ms. Frames overlap by half. */
const FRAME = 512;
const HOP = FRAME / 2;

/** Samples between estimates of the pitch: 20 ms. */
const PITCH_HOP = 320;
/** Quieter frames have no pitch. */
const MIN_PITCH_DBFS = -60;

/** Measurements of a span of audio. Levels are in dB relative to full scale, from -120. */
export interface Levels {
  /** 20 log10 of the root mean square: 0 for a full-scale square wave, -3.01 for a full-scale sine. */
  rms_dbfs: number;
  /** 20 log10 of the largest magnitude; above 0 for float samples above 1. */
  peak_dbfs: number;
  /** Samples at full scale or above. */
  clipped_samples: number;
  /** Their share, 0 to 1. */
  clipped_fraction: number;
  /** Median pitch, 60 to 500 Hz. Null if there is no pitch, or for less than 42 ms of audio. */
  pitch_hz: number | null;
  /** Share of the estimates that have a pitch, 0 to 1. */
  voiced_fraction: number;
  /**
   * Spectral centroid, Hz, a measure of brightness: the mean of the frequencies, weighted by their magnitudes (G.
   * Peeters, "A large set of audio features for sound description", CUIDADO report, IRCAM, 2004, section 6.1.1). Null
   * if all samples are equal.
   */
  centroid_hz: number | null;
}

export const levelsSettings = v.strictObject({});

/** Measures the audio of each call on its own. The same samples give the same bits. */
export class LevelMeter implements Model<Levels> {
  readonly #yin = new Yin(SAMPLE_RATE);
  readonly #fft = new RealFft(FRAME);
  /** Periodic Hann window. */
  readonly #window = Float64Array.from({ length: FRAME }, (_, n) => Math.sin((Math.PI * n) / FRAME) ** 2);
  readonly #frame = new Float64Array(FRAME);
  readonly #re = new Float64Array(FRAME / 2 + 1);
  readonly #im = new Float64Array(FRAME / 2 + 1);

  infer(audio: Float32Array, _call?: Call): Levels {
    const { power, peak, clipped, mean } = measure(audio);
    return {
      rms_dbfs: decibels(Math.sqrt(power)),
      peak_dbfs: decibels(peak),
      clipped_samples: clipped,
      clipped_fraction: clipped / Math.max(1, audio.length),
      ...this.#pitch(audio),
      centroid_hz: this.#centroid(audio, mean),
    };
  }

  #pitch(audio: Float32Array): Pick<Levels, "pitch_hz" | "voiced_fraction"> {
    const { frameSamples } = this.#yin;
    const pitches: number[] = [];
    let estimates = 0;
    for (let start = 0; start + frameSamples <= audio.length; start += PITCH_HOP, estimates++) {
      const { power } = measure(audio, start, start + frameSamples);
      if (decibels(Math.sqrt(power)) < MIN_PITCH_DBFS) continue;
      const pitch = this.#yin.pitch(audio, start);
      if (pitch !== undefined) pitches.push(pitch);
    }
    return { pitch_hz: median(pitches), voiced_fraction: pitches.length / Math.max(1, estimates) };
  }

  /** @param mean subtracted, so that a constant offset does not count as the lowest tone */
  #centroid(audio: Float32Array, mean: number): number | null {
    const [frame, re, im] = [this.#frame, this.#re, this.#im];
    let weighted = 0;
    let total = 0;
    for (let start = 0; start < audio.length; start += HOP) {
      for (let n = 0; n < FRAME; n++) {
        const index = start + n;
        frame[n] = index < audio.length ? (audio[index]! - mean) * this.#window[n]! : 0;
      }
      this.#fft.forward(frame, re, im);
      for (let k = 1; k < re.length; k++) {
        const magnitude = Math.sqrt(re[k]! * re[k]! + im[k]! * im[k]!);
        weighted += k * magnitude;
        total += magnitude;
      }
    }
    // Below this, only rounding errors of a constant are left.
    return total > 1e-9 * audio.length ? ((weighted / total) * SAMPLE_RATE) / FRAME : null;
  }
}

interface Measured {
  /** Mean square. */
  readonly power: number;
  readonly peak: number;
  readonly clipped: number;
  readonly mean: number;
}

function measure(samples: Float32Array, start = 0, end = samples.length): Measured {
  let [sum, squares, peak, clipped] = [0, 0, 0, 0];
  for (let i = start; i < end; i++) {
    const sample = samples[i]!;
    const magnitude = Math.abs(sample);
    sum += sample;
    squares += sample * sample;
    if (magnitude > peak) peak = magnitude;
    if (magnitude >= CLIPPED) clipped += 1;
  }
  const length = Math.max(1, end - start);
  return { power: squares / length, peak, clipped, mean: sum / length };
}

function median(values: readonly number[]): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[(sorted.length - 1) >> 1] ?? null;
}

export const levels: ModelModule = {
  name: "levels",
  sampleRate: SAMPLE_RATE,
  idempotent: true,
  settings: {},
  validate: (settings) => findProblems(levelsSettings, settings),
  load: () => new LevelMeter(),
};
