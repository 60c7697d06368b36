import { describe, expect, test } from "bun:test";

import { RealFft } from "../../src/lib/fft.ts";
import { freshSeed, seeded } from "../support/audio.ts";

/** The definition, summed as it is written. */
function naive(samples: Float64Array): { re: Float64Array; im: Float64Array } {
  const { length } = samples;
  const sum = (k: number, wave: (angle: number) => number): number =>
    samples.reduce((total, x, n) => total + x * wave((-2 * Math.PI * ((k * n) % length)) / length), 0);
  const bins = { length: length / 2 + 1 };
  return {
    re: Float64Array.from(bins, (_, k) => sum(k, Math.cos)),
    im: Float64Array.from(bins, (_, k) => sum(k, Math.sin)),
  };
}

function largestDifference(a: Float64Array, b: Float64Array): number {
  return a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0);
}

const seed = freshSeed();

describe(`the transform of real signals (seed ${seed})`, () => {
  for (const size of [4, 8, 16, 64, 512, 1024]) {
    const random = seeded(seed + size);
    const samples = Float64Array.from({ length: size }, () => 2 * random() - 1);
    const fft = new RealFft(size);
    const [re, im] = [new Float64Array(fft.bins), new Float64Array(fft.bins)];
    fft.forward(samples, re, im);

    test(`of ${size} samples is the sum that defines it`, () => {
      const wanted = naive(samples);
      expect(largestDifference(re, wanted.re)).toBeLessThan(1e-10);
      expect(largestDifference(im, wanted.im)).toBeLessThan(1e-10);
    });

    test(`of ${size} samples has an inverse`, () => {
      const back = new Float64Array(size);
      fft.inverse(re, im, back);
      expect(largestDifference(back, samples)).toBeLessThan(1e-14);
    });
  }

  test("gives the same bits again, whatever was transformed between", () => {
    const random = seeded(seed);
    const signal = (): Float64Array => Float64Array.from({ length: 512 }, () => 2 * random() - 1);
    const fft = new RealFft(512);
    const spectrum = (samples: Float64Array): string => {
      const [re, im] = [new Float64Array(257), new Float64Array(257)];
      fft.forward(samples, re, im);
      return Bun.hash(new Uint8Array(re.buffer)).toString() + Bun.hash(new Uint8Array(im.buffer)).toString();
    };
    const samples = signal();
    const first = spectrum(samples);
    spectrum(signal());
    expect(spectrum(samples)).toBe(first);
  });

  test("is of sizes that are powers of two", () => {
    for (const size of [0, 2, 3, 12, 500, 131_072, 1.5, Number.NaN])
      expect(() => new RealFft(size)).toThrow("power of two");
  });
});
