import { expect, test } from "bun:test";

import fc from "fast-check";

import { resampledLength } from "../../src/lib/resampled-length.ts";
import { MAX_SAMPLE_RATE, MIN_SAMPLE_RATE } from "../../src/lib/sample-format.ts";

test("halves are rounded up", () => {
  expect(resampledLength(1, 32_000, 16_000)).toBe(1);
  expect(resampledLength(3, 32_000, 16_000)).toBe(2);
  expect(resampledLength(1, 48_000, 16_000)).toBe(0);
  expect(resampledLength(2, 48_000, 16_000)).toBe(1);
  expect(resampledLength(0, 44_100, 16_000)).toBe(0);
});

test("equal rates change nothing", () => {
  expect(resampledLength(12_345, 22_050, 22_050)).toBe(12_345);
});

test("the length is exact at any rates, also where the product is beyond the exact range of doubles", () => {
  expect(resampledLength(100 * 3600 * 384_000, 384_000, 16_000)).toBe(100 * 3600 * 16_000);
  const rate = fc.integer({ min: MIN_SAMPLE_RATE, max: MAX_SAMPLE_RATE });
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 40 }), rate, rate, (frames, inRate, outRate) => {
      const length = BigInt(resampledLength(frames, inRate, outRate));
      const twice = 2n * BigInt(frames) * BigInt(outRate);
      expect(twice - 2n * length * BigInt(inRate) < BigInt(inRate)).toBe(true);
      expect(twice - 2n * length * BigInt(inRate) >= -BigInt(inRate)).toBe(true);
    }),
  );
});
