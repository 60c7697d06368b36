import { describe, expect, test } from "bun:test";

import fc from "fast-check";

import { MAX_SAMPLE_RATE, MIN_SAMPLE_RATE } from "../../src/lib/sample-format.ts";
import { Resampler } from "../../src/native/resampler.ts";
import { bits, exactLength, PAIRS, resample, sine } from "../support/native/resample.ts";

const rate = fc.oneof(
  fc.integer({ min: MIN_SAMPLE_RATE, max: MAX_SAMPLE_RATE }),
  fc.constantFrom(4000, 8000, 11025, 12345, 16000, 22050, 24000, 44100, 47999, 48000, 96000, 383987, 384000),
);
const cuts = fc.array(fc.oneof(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 4000 })), { minLength: 1 });

function noise(length: number, seed: number): Float32Array {
  let state = seed >>> 0;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

describe("resampler", () => {
  test("the length is exact for every pair of rates and every cut", () => {
    fc.assert(
      fc.property(
        rate,
        rate,
        fc.integer({ min: 0, max: 6000 }),
        cuts,
        fc.integer({ min: 1, max: 5000 }),
        (from, to, length, pieces, flushPiece) => {
          using resampler = new Resampler(from, to);
          const out = resample(resampler, new Float32Array(length), pieces, flushPiece);
          expect(out.length).toBe(exactLength(length, from, to));
        },
      ),
      { numRuns: 150 },
    );
  });

  test("halves are rounded up", () => {
    using resampler = new Resampler(32000, 16000);
    expect(
      [1, 2, 3, 4, 5].map((length) => {
        resampler.reset();
        return resample(resampler, new Float32Array(length)).length;
      }),
    ).toEqual([1, 1, 2, 2, 3]);
  });

  test("streaming gives the same bits as one piece, however it is cut", () => {
    fc.assert(
      fc.property(
        rate,
        rate,
        fc.integer({ min: 1, max: 5000 }),
        cuts,
        fc.integer(),
        (from, to, length, pieces, seed) => {
          const input = noise(length, seed);
          using whole = new Resampler(from, to);
          using cut = new Resampler(from, to);
          expect(bits(resample(cut, input, pieces, 1 + (seed & 1023)))).toEqual(bits(resample(whole, input)));
        },
      ),
      { numRuns: 150 },
    );
  });

  test("a whole ratio such as 48 to 16 kHz gives the same bits however it is cut, also in long pieces", () => {
    const long = fc.array(fc.integer({ min: 1, max: 30_000 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 26 }),
        fc.integer({ min: 1, max: 40_000 }),
        fc.oneof(cuts, long),
        fc.integer(),
        (ratio, length, pieces, seed) => {
          const input = noise(length, seed);
          using whole = new Resampler(ratio * 4000, 4000);
          using cut = new Resampler(ratio * 4000, 4000);
          expect(bits(resample(cut, input, pieces, 1 + (seed & 63)))).toEqual(bits(resample(whole, input)));
        },
      ),
      { numRuns: 60 },
    );
  });

  test.each(PAIRS)("%d -> %d Hz: samples one by one give the same bits as one piece", (from, to) => {
    const input = noise(Math.ceil((from / Math.min(from, to)) * 90), from);
    using whole = new Resampler(from, to);
    using single = new Resampler(from, to);
    expect(bits(resample(single, input, [1], 1))).toEqual(bits(resample(whole, input)));
  });

  test("a reset resampler is like a new one, also after a flush", () => {
    fc.assert(
      fc.property(rate, rate, fc.integer({ min: 0, max: 2000 }), fc.boolean(), (from, to, length, flushed) => {
        const input = noise(1500, length);
        using used = new Resampler(from, to);
        if (flushed) resample(used, input.subarray(0, length));
        else
          used.process(input, 0, Math.min(length, 1500), new Float32Array(used.maxOutput(Math.min(length, 1500))), 0);
        used.reset();
        using fresh = new Resampler(from, to);
        expect(used.maxOutput(777)).toBe(fresh.maxOutput(777));
        expect(bits(resample(used, input))).toEqual(bits(resample(fresh, input)));
      }),
      { numRuns: 60 },
    );
  });

  test("maxInput is exact: one sample more would write more than the room", () => {
    fc.assert(
      fc.property(
        rate,
        rate,
        fc.array(fc.integer({ min: 0, max: 3000 }), { minLength: 1, maxLength: 5 }),
        (from, to, rooms) => {
          using resampler = new Resampler(from, to);
          for (const room of rooms) {
            const most = resampler.maxInput(room);
            expect(resampler.maxOutput(most)).toBeLessThanOrEqual(room);
            expect(resampler.maxOutput(most + 1)).toBeGreaterThan(room);
            const length = Math.min(most, 20_000);
            resampler.process(new Float32Array(length), 0, length, new Float32Array(room), 0);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  test.each([
    [48000, 16000],
    [47999, 16000],
    [8000, 16000],
  ])("%d -> %d Hz: audio is not replaced by silence when a message is larger than any internal block", (from, to) => {
    const input = sine(440, from, from * 6);
    using resampler = new Resampler(from, to);
    const out = resample(resampler, input);
    for (let at = to / 10; at + to / 10 < out.length; at += to / 20) {
      let power = 0;
      for (let i = 0; i < to / 20; i++) power += (out[at + i] ?? 0) ** 2;
      expect(power / (to / 20)).toBeCloseTo(0.5, 1);
    }
  });

  test("equal rates pass samples through unchanged", () => {
    const input = noise(1000, 7);
    using resampler = new Resampler(16000, 16000);
    expect(resampler.maxInput(10)).toBe(10);
    expect(bits(resample(resampler, input, [3, 200]))).toEqual(bits(input));
  });

  test("NaN and infinity affect no more than the length of the filter", () => {
    const clean = noise(3000, 5);
    for (const [from, to] of PAIRS.slice(0, 8)) {
      const dirty = clean.slice();
      dirty.set([NaN, Infinity, -Infinity], 1000);
      using a = new Resampler(from, to);
      using b = new Resampler(from, to);
      const [good, bad] = [resample(a, clean), resample(b, dirty)];
      const reach = (Math.max(from / to, 1) * 90 * to) / from;
      const differing = [...bits(bad)].flatMap((value, i) => (value === bits(good.subarray(i, i + 1))[0] ? [] : [i]));
      expect(Math.min(...differing)).toBeGreaterThan((1000 * to) / from - reach);
      expect(Math.max(...differing)).toBeLessThan((1003 * to) / from + reach);
    }
  });

  test("input after flush is refused until reset", () => {
    using resampler = new Resampler(48000, 16000);
    resample(resampler, noise(100, 1));
    expect(() => resampler.process(new Float32Array(3), 0, 3, new Float32Array(3), 0)).toThrow("reset");
    resampler.reset();
    expect(resampler.process(new Float32Array(3), 0, 3, new Float32Array(3), 0)).toBe(0);
  });

  test("rates, offsets and lengths out of range are refused", () => {
    for (const bad of [MIN_SAMPLE_RATE - 1, MAX_SAMPLE_RATE + 1, 16000.5, NaN, -8000]) {
      expect(() => new Resampler(bad, 16000)).toThrow(RangeError);
      expect(() => new Resampler(16000, bad)).toThrow(RangeError);
    }
    using resampler = new Resampler(8000, 16000);
    const input = new Float32Array(100);
    expect(() => resampler.process(input, 1, 100, new Float32Array(300), 0)).toThrow(RangeError);
    expect(() => resampler.process(input, 0, 100, new Float32Array(100), 0)).toThrow(RangeError);
    expect(() => resampler.flush(new Float32Array(10), 1, 10)).toThrow(RangeError);
  });
});
