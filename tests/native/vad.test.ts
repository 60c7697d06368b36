import { describe, expect, test } from "bun:test";

import fc from "fast-check";

import { EnergyVad } from "../../src/native/vad.ts";
import { detect, levelOracle, mix, runDetector, sine, whiteNoise } from "../support/native/vad-signals.ts";

const rates = fc.oneof(
  fc.constantFrom(4000, 5999, 6000, 8000, 11_025, 16_000, 22_050, 44_100, 48_000, 383_987, 384_000),
  fc.integer({ min: 4000, max: 384_000 }),
);

/** Bursts over noise, so that decisions of both kinds occur. */
function bursts(length: number, seed: number): Float32Array {
  const loud = whiteNoise(length, -20, seed);
  return whiteNoise(length, -50, seed + 1).map((sample, i) => (i % 5000 < 2000 ? (loud[i] ?? 0) : sample));
}

describe("a VAD's windows", () => {
  test("are the same bits however the samples are cut", () => {
    const cuts = fc.array(fc.integer({ min: 0, max: 3000 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(rates, cuts, fc.integer(), fc.integer({ min: 1, max: 30_000 }), (rate, pieces, seed, length) => {
        const samples = bursts(length, seed);
        using vad = new EnergyVad(rate, 6, -70);
        expect(runDetector(vad, samples, pieces)).toEqual(detect(samples, rate, 6));
      }),
      { numRuns: 60 },
    );
  });

  test("are the same when samples are pushed one by one", () => {
    const samples = bursts(3000, 3);
    using vad = new EnergyVad(8000, 10, -70);
    expect(runDetector(vad, samples, [1])).toEqual(detect(samples, 8000));
  });

  test("do not depend on the alignment of the samples in memory", () => {
    const samples = bursts(16_000, 4);
    const expected = detect(samples);
    for (let shift = 1; shift < 16; shift++) {
      const moved = new Float32Array(samples.length + shift);
      moved.set(samples, shift);
      using vad = new EnergyVad(16_000, 10, -70);
      const speech = new Uint8Array(100);
      const levelDb = new Float32Array(100);
      expect(vad.process(moved, shift, samples.length, speech, levelDb)).toBe(100);
      expect([...speech]).toEqual([...expected.speech]);
      expect([...levelDb]).toEqual([...expected.levelDb]);
    }
  });

  test("after a reset are those of a new VAD, whatever came before", () => {
    fc.assert(
      fc.property(rates, fc.integer(), fc.integer({ min: 1, max: 20_000 }), (rate, seed, before) => {
        using vad = new EnergyVad(rate, 10, -70);
        runDetector(vad, bursts(before, seed));
        vad.reset();
        const samples = bursts(8000, seed + 9);
        expect(runDetector(vad, samples)).toEqual(detect(samples, rate));
      }),
      { numRuns: 30 },
    );
  });

  test("last 10 ms and are as many as fit, at every rate; a flush drops the rest and returns its length", () => {
    fc.assert(
      fc.property(rates, fc.integer({ min: 0, max: 50_000 }), (rate, length) => {
        using vad = new EnergyVad(rate, 10, -70);
        expect(vad.windowSamples).toBe(Math.floor((rate + 50) / 100));
        const { levelDb } = runDetector(vad, new Float32Array(length));
        expect(levelDb.length).toBe(Math.floor(length / vad.windowSamples));
        expect(vad.flush()).toBe(length % vad.windowSamples);
        expect(vad.flush()).toBe(0);
        expect(vad.maxWindows(vad.windowSamples)).toBe(1);
      }),
      { numRuns: 60 },
    );
  });
});

describe("a window's level", () => {
  test("is that of the definition in double precision, at every rate", () => {
    fc.assert(
      fc.property(rates, fc.integer(), fc.integer({ min: -90, max: 10 }), (rate, seed, levelDb) => {
        const window = Math.floor((rate + 50) / 100);
        const samples = whiteNoise(4 * window, levelDb, seed);
        detect(samples, rate).levelDb.forEach((level, i) => {
          expect(level).toBeCloseTo(levelOracle(samples.slice(i * window, (i + 1) * window), rate), 2);
        });
      }),
      { numRuns: 60 },
    );
  });

  test("is not changed by DC or by a slope that is far louder", () => {
    const samples = whiteNoise(1600, -50, 5);
    const tilted = samples.map((sample, i) => sample + 0.7 - i / 3200);
    const expected = detect(samples).levelDb;
    detect(tilted).levelDb.forEach((level, i) => expect(level).toBeCloseTo(expected[i] ?? 0, 1));
  });

  test.each([
    [50, 45],
    [60, 40],
    [100, 18],
    [120, 13],
  ])("of a hum of %d Hz is at least %d dB below its power", (frequency, decibels) => {
    for (const rate of [8000, 16_000, 44_100, 48_000]) {
      const { levelDb } = detect(sine(rate, frequency, -20, rate), rate);
      const mean = levelDb.reduce((sum, level) => sum + 10 ** (level / 10), 0) / levelDb.length;
      expect(10 * Math.log10(mean)).toBeLessThan(-20 - decibels);
    }
  });

  test.each([400, 700, 1000, 1500])("of a tone of %d Hz is within 3 dB of its power", (frequency) => {
    for (const rate of [8000, 16_000, 44_100, 48_000]) {
      for (const level of detect(sine(rate, frequency, -20, rate), rate).levelDb) {
        expect(Math.abs(level + 20)).toBeLessThan(3);
      }
    }
  });

  test("stays within -120 and 30 dBFS, and is that of silence for NaN", () => {
    const kinds: [number, number][] = [
      [0, -120],
      [1e-41, -120],
      [Number.NaN, -120],
      [Number.POSITIVE_INFINITY, -120],
      [3e38, -120],
      [1e15, 30],
    ];
    for (const [size, expected] of kinds) {
      const samples = Float32Array.from({ length: 320 }, (_, i) => (i % 8 < 4 ? size : -size));
      const { levelDb, speech } = detect(samples);
      for (const level of levelDb) expect(level).toBe(expected);
      expect(speech).toEqual([0, 0]);
    }
    const [loudest] = detect(Float32Array.from({ length: 160 }, (_, i) => (i % 16 < 8 ? 8 : -8))).levelDb;
    expect(loudest).toBeGreaterThan(15);
    expect(loudest).toBeLessThan(18.1);
  });

  test("of NaN does not affect the windows after it", () => {
    const samples = mix(whiteNoise(48_000, -50, 6), new Float32Array(48_000));
    const broken = samples.slice();
    broken.fill(Number.NaN, 16_000, 16_160);
    broken.fill(3e38, 20_000, 20_160);
    const expected = detect(samples);
    const found = detect(broken);
    expect(found.speech).toEqual(expected.speech);
    expect(found.levelDb.slice(127)).toEqual(expected.levelDb.slice(127));
  });
});

test("a threshold outside of 3 to 40 dB, a floor outside of -100 to -20 dBFS, or a rate outside of 4 to 384 kHz, is refused", () => {
  const wrong: [number, number][] = [
    [16_000, 2.9],
    [16_000, 40.1],
    [16_000, Number.NaN],
    [3999, 10],
    [384_001, 10],
  ];
  for (const [rate, threshold] of wrong) expect(() => new EnergyVad(rate, threshold, -70)).toThrow(RangeError);
  for (const floor of [-100.1, -19.9, Number.NaN]) expect(() => new EnergyVad(16_000, 10, floor)).toThrow(RangeError);
});
