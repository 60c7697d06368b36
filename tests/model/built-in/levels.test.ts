import { describe, expect, test } from "bun:test";

import { FLOOR_DBFS } from "../../../src/lib/decibels.ts";
import { LevelMeter, levels } from "../../../src/model/built-in/levels.ts";
import { checkOutput } from "../../../src/worker/output.ts";
import { freshSeed, noise, seeded, voice } from "../../support/audio.ts";
import { recorded } from "../../support/recorded.ts";

const RATE = 16_000;
const meter = new LevelMeter();

function sine(hertz: number, { seconds = 1, level = 0.5, phase = 0 } = {}): Float32Array {
  return Float32Array.from(
    { length: Math.round(seconds * RATE) },
    (_, i) => level * Math.sin((2 * Math.PI * hertz * i) / RATE + phase),
  );
}

/** Up to 20 harmonics below half the sample rate, each weaker than the one before. */
function buzz(hertz: number, fundamental = 1): Float32Array {
  const samples = new Float32Array(RATE / 2);
  for (let harmonic = 1; harmonic * hertz < RATE / 2 && harmonic <= 20; harmonic++) {
    const share = (harmonic === 1 ? fundamental : 1) / harmonic;
    const part = sine(harmonic * hertz, { seconds: 0.5, level: 0.2 * share });
    for (let i = 0; i < samples.length; i++) samples[i]! += part[i]!;
  }
  return samples;
}

describe("levels", () => {
  test("a full-scale square wave has an RMS of 0 dBFS, a full-scale sine of -3.01, and both a peak of 0", () => {
    const square = sine(100, { level: 1, phase: 0.01 }).map(Math.sign);
    expect(meter.infer(square).rms_dbfs).toBeCloseTo(0, 6);
    expect(meter.infer(square).peak_dbfs).toBeCloseTo(0, 6);
    expect(meter.infer(sine(100, { level: 1 })).rms_dbfs).toBeCloseTo(-3.01, 2);
    expect(meter.infer(sine(100, { level: 0.1 })).peak_dbfs).toBeCloseTo(-20, 2);
  });

  test("float samples above full scale are above 0 dBFS", () => {
    expect(meter.infer(sine(100, { level: 2 })).peak_dbfs).toBeCloseTo(6.02, 1);
  });

  test("clipped samples are counted, of both signs, and a wave just below full scale has none", () => {
    const clipped = sine(200, { level: 2 }).map((x) => Math.max(-1, Math.min(1, x)));
    // |sin| is above 1/2 for two thirds of the time.
    expect(meter.infer(clipped).clipped_fraction).toBeCloseTo(2 / 3, 1);
    expect(meter.infer(clipped).clipped_samples).toBe(clipped.filter((x) => Math.abs(x) === 1).length);
    expect(meter.infer(sine(200, { level: 0.998 }))).toMatchObject({ clipped_samples: 0, clipped_fraction: 0 });
  });

  test("silence, a constant, one sample and no sample give numbers or null, never infinity", () => {
    const nothing = { pitch_hz: null, voiced_fraction: 0, centroid_hz: null, clipped_samples: 0, clipped_fraction: 0 };
    expect(meter.infer(new Float32Array(RATE))).toEqual({
      ...nothing,
      rms_dbfs: FLOOR_DBFS,
      peak_dbfs: FLOOR_DBFS,
    });
    expect(meter.infer(new Float32Array(RATE).fill(0.3))).toMatchObject(nothing);
    expect(meter.infer(new Float32Array(1).fill(0.3))).toMatchObject(nothing);
    expect(meter.infer(new Float32Array(0))).toMatchObject({ ...nothing, rms_dbfs: FLOOR_DBFS });
  });

  test("the output is valid JSON for any input", () => {
    const random = seeded(freshSeed());
    for (let i = 0; i < 50; i++) {
      const level = 10 ** (12 * random() - 11);
      const samples = noise(random() * 0.2, { seed: i, level });
      expect(() => checkOutput(meter.infer(samples), RATE)).not.toThrow();
    }
  });

  test("the same samples give the same bits, whatever is measured in between", () => {
    const samples = voice(0.5, { seed: 3 });
    const first = meter.infer(samples);
    meter.infer(noise(1, { level: 0.5 }));
    expect(new LevelMeter().infer(samples)).toEqual(first);
    expect(meter.infer(samples)).toEqual(first);
  });

  test("has no settings, and refuses any", () => {
    expect(levels.validate?.({})).toEqual([]);
    expect(levels.validate?.({ pitch: 1 })).toHaveLength(1);
  });
});

describe("the spectral centroid", () => {
  test("of a tone is its frequency, also with a constant offset", () => {
    for (const hertz of [500, 1000, 3000, 6000]) {
      const centroid = meter.infer(sine(hertz)).centroid_hz ?? 0;
      expect(Math.abs(centroid - hertz)).toBeLessThan(60);
      const offset = sine(hertz).map((x) => x + 0.2);
      expect(Math.abs((meter.infer(offset).centroid_hz ?? 0) - centroid)).toBeLessThan(1);
    }
  });

  test("of white noise is the middle of the band, and of two equal tones the middle of the two", () => {
    expect(Math.abs((meter.infer(noise(2, { level: 0.1 })).centroid_hz ?? 0) - RATE / 4)).toBeLessThan(100);
    const [low, high] = [sine(1000), sine(3000)];
    const both = low.map((x, i) => x + high[i]!);
    expect(Math.abs((meter.infer(both).centroid_hz ?? 0) - 2000)).toBeLessThan(60);
  });

  test("does not depend on the level", () => {
    const samples = voice(0.5, { seed: 8 });
    const quiet = samples.map((x) => x / 64);
    expect(meter.infer(quiet).centroid_hz).toBeCloseTo(meter.infer(samples).centroid_hz ?? 0, 3);
  });
});

describe("pitch", () => {
  test("of tones and of buzzes from 61 to 495 Hz is within half a percent", () => {
    for (const hertz of [61, 82.4, 110, 146.8, 220, 329.6, 440, 495]) {
      for (const samples of [sine(hertz), buzz(hertz)]) {
        const { pitch_hz, voiced_fraction } = meter.infer(samples);
        expect(Math.abs((pitch_hz ?? 0) / hertz - 1)).toBeLessThan(0.005);
        expect(voiced_fraction).toBe(1);
      }
    }
  });

  test("is found from the harmonics if the fundamental is missing, as on a telephone", () => {
    expect(meter.infer(buzz(150, 0)).pitch_hz).toBeCloseTo(150, 0);
  });

  test("is null for noise, for tones that are too low or too short, and for hum that is hardly audible", () => {
    expect(meter.infer(noise(2, { level: 0.3 }))).toMatchObject({ pitch_hz: null, voiced_fraction: 0 });
    expect(meter.infer(sine(40)).pitch_hz).toBeNull();
    expect(meter.infer(sine(200, { seconds: 0.04 })).pitch_hz).toBeNull();
    expect(meter.infer(sine(100, { level: 0.0005 })).pitch_hz).toBeNull();
  });

  test("of recorded speech is in the range of voices, for a part of the speech", async () => {
    const { pitch_hz, voiced_fraction, rms_dbfs } = meter.infer(await recorded(0));
    expect(pitch_hz).toBeWithin(70, 300);
    expect(voiced_fraction).toBeWithin(0.1, 0.9);
    expect(rms_dbfs).toBeWithin(-40, -15);
  });
});
