import { describe, expect, test } from "bun:test";

import fc from "fast-check";

import { Histogram } from "../../../src/telemetry/metrics/histogram.ts";

describe("a histogram", () => {
  test("counts a value in the first bucket whose upper bound is not below it", () => {
    const histogram = new Histogram([1, 2, 5]);
    for (const value of [0, 1, 1.5, 2, 5, 5.1, 100]) histogram.observe(value);
    expect([...histogram.counts]).toEqual([2, 2, 1, 2]);
    expect(histogram.count).toBe(7);
    expect(histogram.sum).toBeCloseTo(114.6);
  });

  test("counts every value exactly once, whatever it is", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.double({ noNaN: true, noDefaultInfinity: true }), { minLength: 1, maxLength: 20 }),
        fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { maxLength: 100 }),
        (bounds, values) => {
          const histogram = new Histogram(bounds.sort((a, b) => a - b));
          for (const value of values) histogram.observe(value);
          expect(histogram.count).toBe(values.length);
          for (const [i, bound] of histogram.bounds.entries()) {
            const below = histogram.counts.subarray(0, i + 1).reduce((sum, count) => sum + count, 0);
            expect(below).toBe(values.filter((value) => value <= bound).length);
          }
        },
      ),
    );
  });

  test("keeps the last exemplar of each bucket", () => {
    const histogram = new Histogram([1]);
    histogram.observe(0.5, "a");
    histogram.observe(0.7, "b");
    histogram.observe(0.9);
    histogram.observe(3, "c");
    expect(histogram.exemplars).toMatchObject([
      { traceId: "b", value: 0.7 },
      { traceId: "c", value: 3 },
    ]);
  });
});
