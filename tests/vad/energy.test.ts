import { expect, test } from "bun:test";

import { VAD_DEFAULTS } from "../../src/protocol/vad-settings.ts";
import { energy } from "../../src/vad/energy.ts";
import { seeded } from "../support/audio.ts";

const RATE = 16_000;

/** Noise that is loud in every third stretch of 0.7 s. */
function bursts(seconds: number, seed: number): Float32Array {
  const next = seeded(seed);
  const samples = new Float32Array(Math.round(RATE * seconds));
  for (let i = 0; i < samples.length; i++) {
    const loud = Math.floor(i / (RATE * 0.7)) % 3 === 2;
    samples[i] = (next() - 0.5) * (loud ? 0.5 : 0.004);
  }
  return samples;
}

function decisions(samples: Float32Array, size: number): [boolean, number][] {
  using detector = energy.create(RATE, VAD_DEFAULTS);
  const found: [boolean, number][] = [];
  for (let at = 0; at < samples.length; at += size) {
    const length = Math.min(samples.length - at, size);
    detector.push(samples, at, length, (speech, levelDb) => found.push([speech, levelDb]));
  }
  return found;
}

test("more windows than one native call takes are all decided, and none twice", () => {
  const samples = bursts(16.003, 1);
  const whole = decisions(samples, samples.length);
  expect(whole.length).toBe(1600);
  // Calls that end just before, on and just behind the end of a batch.
  for (const size of [511 * 160 - 1, 511 * 160, 511 * 160 + 1, 512 * 160, 513 * 160 + 77]) {
    expect(decisions(samples, size)).toEqual(whole);
  }
});

test("loud stretches are speech, soft ones are not", () => {
  const speech = decisions(bursts(8.4, 2), 1600).map(([is]) => is);
  expect(speech.slice(0, 135)).not.toContain(true);
  expect(speech.slice(150, 205)).not.toContain(false);
  expect(speech.slice(240, 345)).not.toContain(true);
});

test("a sample rate, a threshold or a floor out of range is refused", () => {
  expect(() => energy.create(3999, VAD_DEFAULTS)).toThrow(RangeError);
  expect(() => energy.create(RATE, { ...VAD_DEFAULTS, threshold_db: 41 })).toThrow(RangeError);
  for (const floor_dbfs of [-101, -19, Number.NaN]) {
    expect(() => energy.create(RATE, { ...VAD_DEFAULTS, floor_dbfs })).toThrow(RangeError);
  }
});
