import { describe, expect, test } from "bun:test";

import fc from "fast-check";

import { MAX_SAMPLE_RATE, MIN_SAMPLE_RATE } from "../../src/lib/sample-format.ts";
import { Resampler } from "../../src/native/resampler.ts";
import { PAIRS, resample, sine } from "../support/native/resample.ts";

const rate = fc.integer({ min: MIN_SAMPLE_RATE, max: MAX_SAMPLE_RATE });

/** Outputs whose filter sees the beginning or the end of the input are left out. */
function steadyPart(out: Float32Array, from: number, to: number): { samples: Float32Array; first: number } {
  const edge = Math.ceil((40 * to) / Math.min(from, to));
  return { samples: out.subarray(edge, out.length - edge), first: edge };
}

interface Tone {
  /** Gain of the input sine; 1: unchanged. */
  readonly gain: number;
  /** Phase shift of the sine, in radians. */
  readonly phase: number;
  /** Power of everything else, against a full-scale sine. */
  readonly restDb: number;
}

/** Measures the response to a full-scale sine: least squares for its sine and cosine, and the rest. */
function measure(from: number, to: number, frequency: number): Tone {
  using resampler = new Resampler(from, to);
  const length = Math.ceil((from / Math.min(from, to)) * 600);
  const { samples, first } = steadyPart(resample(resampler, sine(frequency, from, length)), from, to);
  let [ss, sc, cc, ys, yc, yy] = [0, 0, 0, 0, 0, 0];
  samples.forEach((y, i) => {
    const angle = (2 * Math.PI * ((frequency * (i + first)) % to)) / to;
    const [s, c] = [Math.sin(angle), Math.cos(angle)];
    ss += s * s;
    sc += s * c;
    cc += c * c;
    ys += y * s;
    yc += y * c;
    yy += y * y;
  });
  const determinant = ss * cc - sc * sc;
  const inPhase = (ys * cc - yc * sc) / determinant;
  const quadrature = (yc * ss - ys * sc) / determinant;
  const rest = Math.max(yy - inPhase * ys - quadrature * yc, 0) / samples.length;
  return { gain: Math.hypot(inPhase, quadrature), phase: Math.atan2(quadrature, inPhase), restDb: decibels(rest) };
}

/** Output power for a full-scale sine, against that sine. */
function leakage(from: number, to: number, frequency: number): number {
  using resampler = new Resampler(from, to);
  const length = Math.ceil((from / Math.min(from, to)) * 600);
  const { samples } = steadyPart(resample(resampler, sine(frequency, from, length)), from, to);
  return decibels(samples.reduce((sum, y) => sum + y * y, 0) / samples.length);
}

function decibels(power: number): number {
  return 10 * Math.log10(power / 0.5 + 1e-20);
}

describe.each(PAIRS)("resampler quality, %d -> %d Hz", (from, to) => {
  const m = Math.min(from, to);

  test("the pass band is flat within 0.1 dB, in phase, and free of images", () => {
    for (const part of [0.01, 0.05, 0.1237, 0.2, 0.25, 0.31, 0.37, 0.41, 0.43, 0.4375]) {
      const { gain, phase, restDb } = measure(from, to, part * m);
      expect(Math.abs(20 * Math.log10(gain))).toBeLessThan(0.1);
      expect(Math.abs(phase)).toBeLessThan(1e-4);
      expect(restDb).toBeLessThan(-100);
    }
  });

  test("frequencies between the pass band and half of the lower rate have no image", () => {
    if (from > to) return expect(leakage(from, to, 0.5 * m)).toBeLessThan(-100);
    for (const part of [0.45, 0.47, 0.49]) expect(measure(from, to, part * m).restDb).toBeLessThan(-100);
  });

  test("aliases are at least 100 dB down from half of the lower rate up", () => {
    const highest = from / 2 / m;
    if (highest <= 0.5) return expect(from).toBeLessThanOrEqual(to);
    const parts = [
      0.5, 0.501, 0.505, 0.51, 0.52, 0.54, 0.57, 0.63, 0.75, 0.9, 0.99, 1, 1.01, 1.3, 1.5, 2, 2.5, 3.3, 8, 11.9,
    ];
    for (const part of parts.filter((value) => value <= highest))
      expect(leakage(from, to, part * m)).toBeLessThan(-100);
  });
});

describe("resampler bounds", () => {
  test("a stream takes at most 4 KiB up to 48 kHz, in proportion above, and a filter at most 1 MiB", () => {
    const check = (from: number, to: number) => {
      using resampler = new Resampler(from, to);
      expect(resampler.bytes).toBeLessThanOrEqual(4096 * Math.max(1, from / 48000));
      expect(resampler.filterBytes).toBeLessThanOrEqual(2 ** 20);
    };
    for (const [from, to] of PAIRS) check(from, to);
    fc.assert(fc.property(rate, rate, check), { numRuns: 100 });
  });

  test("an output waits for at most 10 ms of input from 8 kHz up, 15 ms below", () => {
    const check = (from: number, to: number) => {
      using resampler = new Resampler(from, to);
      // Output 0 is at input sample 0: the samples read beyond that one are the look-ahead.
      const needed = resampler.maxInput(0);
      expect(resampler.maxOutput(needed + 1)).toBeGreaterThan(0);
      expect(needed / from).toBeLessThanOrEqual(from >= 8000 ? 0.01 : 0.015);
    };
    for (const [from, to] of PAIRS) check(from, to);
    fc.assert(fc.property(rate, rate, check), { numRuns: 100 });
  });

  test("more pairs at once than the table of filters holds do not affect each other", () => {
    const pairs = Array.from({ length: 40 }, (_, i) => [40000 + 7 * i, 16000] as const);
    const inputs = pairs.map(([from]) => sine(300, from, 2000));
    const alone = pairs.map(([from, to], i) => {
      using resampler = new Resampler(from, to);
      return resample(resampler, inputs[i] ?? new Float32Array());
    });
    const together = pairs.map(([from, to]) => new Resampler(from, to));
    const outputs = together.map((resampler, i) => resample(resampler, inputs[i] ?? new Float32Array()));
    for (const resampler of together) resampler[Symbol.dispose]();
    expect(outputs).toEqual(alone);
  });
});
