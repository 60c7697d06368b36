import { describe, expect, test } from "bun:test";

import { WindowLevel } from "../../../src/console/audio/level.ts";
import { NoiseFloor } from "../../../src/console/audio/noise-floor.ts";
import { EnergyVad } from "../../../src/native/vad.ts";
import { VAD_DEFAULTS } from "../../../src/protocol/vad-settings.ts";
import { freshSeed, noise, seeded, voice } from "../../support/audio.ts";

/** Decibels by which sums of 64 bits may differ from those of 32. */
const MOST_DIFFERENCE_DB = 0.02;
/** Share of the windows that may be decided in another way, because their level is on the threshold. */
const MOST_FLIPPED = 0.002;

const seed = freshSeed();

function signal(rate: number, random: () => number): Float32Array {
  const parts = Array.from({ length: 8 }, (_, i) => {
    const options = { rate, seed: Math.floor(random() * 1e9) };
    if (i % 4 === 3) return new Float32Array(Math.round(rate * random()));
    return i % 2 === 0
      ? noise(1.5 * random(), { ...options, level: 0.02 * random() })
      : voice(2 * random(), { ...options, level: 0.5 * random() });
  });
  return Float32Array.from(parts.flatMap((part) => [...part]));
}

describe("the console's detector", () => {
  for (const rate of [8_000, 16_000, 44_100, 48_000]) {
    test(`has the levels and decisions of the server's at ${rate} Hz (seed ${seed})`, () => {
      const random = seeded(seed + rate);
      const settings = { ...VAD_DEFAULTS, threshold_db: 4 + 20 * random(), floor_dbfs: -85 + 40 * random() };
      const samples = signal(rate, random);
      const level = new WindowLevel(rate);
      const floor = new NoiseFloor(settings);
      using native = new EnergyVad(rate, settings.threshold_db, settings.floor_dbfs);
      expect(level.windowSamples).toBe(native.windowSamples);
      const windows = Math.floor(samples.length / level.windowSamples);
      const speech = new Uint8Array(windows);
      const levels = new Float32Array(windows);
      native.process(samples, 0, samples.length, speech, levels);
      let flipped = 0;
      for (let i = 0; i < windows; i++) {
        const own = level.of(samples, i * level.windowSamples);
        expect(Math.abs(own - levels[i]!)).toBeLessThan(MOST_DIFFERENCE_DB);
        if (floor.decide(own) !== (speech[i] === 1)) flipped++;
      }
      expect(speech.includes(1)).toBe(true);
      expect(flipped).toBeLessThanOrEqual(windows * MOST_FLIPPED);
    });
  }

  test("has no floor below the lowest one", () => {
    const floor = new NoiseFloor({ threshold_db: 10, floor_dbfs: -50 });
    for (let i = 0; i < 100; i++) expect(floor.decide(-60)).toBe(false);
    expect(floor.floorDb).toBe(-50);
    expect(floor.decide(-20)).toBe(true);
  });
});
