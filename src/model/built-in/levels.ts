import * as v from "valibot";

import { decibels } from "../../lib/decibels.ts";
import { RealFft } from "../../lib/fft.ts";
import type { Call, Model, ModelModule } from "../model.ts";
import { settingProblems } from "../settings.ts";
import { Yin } from "./pitch.ts";

const SAMPLE_RATE = 16_000;

/** A sample from here on counts as clipped: within 0.01 dB of full scale, as resampling leaves few exactly on it. */
export const CLIPPED = 1 - 2 ** -10;

/** Frames of the spectrum: 32 ms, half overlapping. */
const FRAME = 512;
const HOP = FRAME / 2;

/** Pitch is looked for every 20 ms, where there is more than this. */
const PITCH_HOP = 320;
const PITCH_LEAST_DBFS = -60;

/** What can be said about any sound. Levels are dB relative to full scale, -120 or more. */
export interface Levels {
  /** 20 log10 of the root of the mean square: 0 for a full-scale square wave, -3.01 for a full-scale sine. */
  rms_dbfs: number;
  /** 20 log10 of the largest magnitude; above 0 for float samples beyond 1. */
  peak_dbfs: number;
  /** Samples at full scale or beyond, and their share, 0 to 1. */
  clipped_samples: number;
  clipped_fraction: number;
  /** Hz, 60 to 500: the median of the moments that have a pitch. Null when none has, and for pieces of less than 42 ms. */
  pitch_hz: number | null;
  /** Share of the moments looked at that have a pitch, 0 to 1. */
  voiced_fraction: number;
  /**
   * Hz: the mean of the frequencies, each weighted by its magnitude (G. Peeters, "A large set of audio features for sound
   * description", CUIDADO report, IRCAM, 2004, section 6.1.1); "how bright". Null when there is nothing but a constant.
   */
  centroid_hz: number | null;
}

export const levelsSettings = v.strictObject({});

/** Measures each piece on its own; the same samples give the same bits. */
export class LevelMeter implements Model<Levels> {
  readonly #yin = new Yin(SAMPLE_RATE);
  readonly #fft = new RealFft(FRAME);
  /** Periodic Hann. */
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
    const found: number[] = [];
    let looked = 0;
    for (let start = 0; start + frameSamples <= audio.length; start += PITCH_HOP, looked++) {
      const { power } = measure(audio, start, start + frameSamples);
      if (decibels(Math.sqrt(power)) < PITCH_LEAST_DBFS) continue;
      const pitch = this.#yin.pitch(audio, start);
      if (pitch !== undefined) found.push(pitch);
    }
    return { pitch_hz: median(found), voiced_fraction: found.length / Math.max(1, looked) };
  }

  /** @param mean taken off, so that a constant offset is not the lowest of all tones */
  #centroid(audio: Float32Array, mean: number): number | null {
    const [frame, re, im] = [this.#frame, this.#re, this.#im];
    let weighted = 0;
    let total = 0;
    for (let start = 0; start < audio.length; start += HOP) {
      for (let n = 0; n < FRAME; n++) {
        const at = start + n;
        frame[n] = at < audio.length ? (audio[at]! - mean) * this.#window[n]! : 0;
      }
      this.#fft.forward(frame, re, im);
      for (let k = 1; k < re.length; k++) {
        const magnitude = Math.sqrt(re[k]! * re[k]! + im[k]! * im[k]!);
        weighted += k * magnitude;
        total += magnitude;
      }
    }
    // What rounding leaves of a constant is no sound.
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
  validate: (settings) => settingProblems(levelsSettings, settings),
  load: () => new LevelMeter(),
};
