import { describe, expect, test } from "bun:test";

import fc from "fast-check";

import { denoise, Denoiser, type DenoiseState, HOP } from "../../../src/model/built-in/denoise.ts";
import { concat, noise } from "../../support/audio.ts";
import { recorded } from "../../support/recorded.ts";

const RATE = 16_000;
const DEFAULT = { reduction_db: 18, smoothing: 0.98 };
const model = new Denoiser(DEFAULT);

/** The output for `samples` in blocks of `size()`, each with the state of the one before, cloned as between workers. */
function filter(samples: Float32Array, size: () => number, denoiser = model): Float32Array {
  const parts: Float32Array[] = [];
  let state: DenoiseState = denoiser.start();
  for (let at = 0; at < samples.length;) {
    const end = Math.min(samples.length, at + size());
    const [said, next] = denoiser.step(samples.slice(at, end), structuredClone(state));
    if (said !== undefined) parts.push(said.audio);
    state = next;
    at = end;
  }
  return concat(...parts, denoiser.finish(structuredClone(state)).audio);
}

/** The output without state: each block is a stream of its own. */
function filterBlocks(samples: Float32Array, block: number): Float32Array {
  const parts: Float32Array[] = [];
  for (let at = 0; at < samples.length; at += block) {
    parts.push(filter(samples.slice(at, at + block), () => block));
  }
  return concat(...parts);
}

function rms(samples: Float32Array): number {
  return Math.sqrt(samples.reduce((sum, x) => sum + x * x, 0) / samples.length);
}

function decibels(ratio: number): number {
  return 20 * Math.log10(ratio);
}

function minus(a: Float32Array, b: Float32Array): Float32Array {
  return a.map((x, i) => x - b[i]!);
}

function plus(a: Float32Array, b: Float32Array): Float32Array {
  return a.map((x, i) => x + b[i]!);
}

/** Mean SNR in dB over the 20 ms frames with speech, each limited to -10 .. 35 as usual. */
function segmentalSnr(clean: Float32Array, heard: Float32Array): number {
  const frame = RATE / 50;
  const snrs: number[] = [];
  for (let at = 0; at + frame <= clean.length; at += frame) {
    const wanted = clean.slice(at, at + frame);
    if (rms(wanted) < 0.01) continue;
    const snr = decibels(rms(wanted) / (rms(minus(heard.slice(at, at + frame), wanted)) + 1e-9));
    snrs.push(Math.max(-10, Math.min(35, snr)));
  }
  return snrs.reduce((sum, snr) => sum + snr, 0) / snrs.length;
}

/**
 * White noise and, from half a second on, a smooth tone that swells and ebbs: any jump is a click that can be measured.
 */
function swellingTone(seconds: number): Float32Array {
  return noise(seconds, { seed: 5, level: 0.001 }).map((x, i) => {
    const time = i / RATE;
    const swell = time < 0.5 ? 0 : 0.5 - 0.5 * Math.cos(2 * Math.PI * 3 * time);
    return x + 0.3 * swell * Math.sin(2 * Math.PI * 200 * time);
  });
}

/** Roughness at the borders of blocks relative to the rest: the ratio of the RMS of the second difference. */
function seam(samples: Float32Array, block: number): number {
  let [atBorders, borders, all, count] = [0, 0, 0, 0];
  for (let i = 1; i + 1 < samples.length; i++) {
    const bend = (samples[i + 1]! - 2 * samples[i]! + samples[i - 1]!) ** 2;
    const place = i % block;
    if (i >= block - 1 && (place === 0 || place === block - 1)) {
      atBorders += bend;
      borders += 1;
    }
    all += bend;
    count += 1;
  }
  return Math.sqrt(atBorders / borders / (all / count));
}

describe("noise reduction", () => {
  const samples = swellingTone(1.2);
  const whole = filter(samples, () => samples.length);

  test("returns the same bits at every block size: 1, primes, powers of two, whole", () => {
    for (const block of [1, 2, 7, 101, 255, 256, 257, 320, 512, 1009, 1600, 4096, 7919]) {
      expect(Buffer.from(filter(samples, () => block).buffer).equals(Buffer.from(whole.buffer)), `${block}`).toBe(true);
    }
  });

  test("returns the same bits however the stream is cut, and as many samples as it got", () => {
    const cuts = fc.array(fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 3000 })), {
      minLength: 1,
    });
    const length = fc.oneof(fc.integer({ min: 1, max: 3 * HOP }), fc.integer({ min: 1, max: 8000 }));
    fc.assert(
      fc.property(length, cuts, (length, sizes) => {
        const input = samples.slice(-length);
        let turn = 0;
        const cut = filter(input, () => sizes[turn++ % sizes.length]!);
        expect(cut).toHaveLength(length);
        expect(cut).toEqual(filter(input, () => length));
      }),
      { numRuns: 60 },
    );
  });

  test("has no seam at the borders of blocks, where a version without state has one", () => {
    const long = swellingTone(4);
    for (const block of [1600, 1601, 4001, 8000]) {
      const smooth = seam(
        filter(long, () => block),
        block,
      );
      const seamed = seam(filterBlocks(long, block), block);
      // The rest comes from the input, whose roughness there is random.
      expect(smooth, `${block}`).toBeLessThan(2 * Math.max(1, seam(long, block)));
      expect(seamed, `${block}`).toBeGreaterThan(5 * smooth);
      expect(seamed, `${block}`).toBeGreaterThan(10);
    }
  });

  test("changes and delays nothing with a reduction of 0 dB", () => {
    const off = new Denoiser({ ...DEFAULT, reduction_db: 0 });
    const out = filter(samples, () => 700, off);
    expect(out.every((x, i) => Math.abs(x - samples[i]!) < 1e-6)).toBe(true);
  });

  test("holds back at most 32 ms", () => {
    let state = model.start();
    let given = 0;
    for (let taken = 1; taken <= 2000; taken++) {
      const [said, next] = model.step(samples.slice(taken - 1, taken), state);
      given += said?.audio.length ?? 0;
      state = next;
      expect(taken - given).toBeLessThan(2 * HOP + 1);
    }
  });

  test("does not change the state that it gets, so that a step can be repeated", () => {
    const [, state] = model.step(samples.slice(0, 1000), model.start());
    const before = structuredClone(state);
    const once = model.step(samples.slice(1000, 3000), state);
    model.finish(state);
    expect(state).toEqual(before);
    expect(model.step(samples.slice(1000, 3000), state)).toEqual(once);
  });

  test("keeps a few kilobytes of a stream, however long it is", () => {
    let state = model.start();
    for (let i = 0; i < 20; i++) [, state] = model.step(samples.slice(0, 1599), state);
    const bytes = Object.values(state).reduce(
      (sum, value) => sum + (value instanceof Float32Array ? value.byteLength : 8),
      0,
    );
    expect(bytes).toBeLessThan(7 * 1024);
    expect(
      Object.values(state).every((value) => typeof value === "number" || value.buffer.byteLength === value.byteLength),
    ).toBe(true);
  });
});

describe("noise reduction on recorded speech in white noise", () => {
  /** A pause, as before every speech, then the reader. */
  async function noisy(snr: number): Promise<{ clean: Float32Array; hiss: Float32Array }> {
    const speech = await recorded(0);
    const clean = concat(new Float32Array(RATE), speech.slice(0, 8 * RATE), new Float32Array(RATE));
    // Uniform noise of peak 1 has an RMS of 1 / sqrt 3.
    const level = rms(speech.slice(0, 8 * RATE)) * Math.sqrt(3) * 10 ** (-snr / 20);
    return { clean, hiss: noise(clean.length / RATE, { seed: 11, level }) };
  }

  test("reduces the noise by the configured amount within 1.5 dB, in pauses before and after speech", async () => {
    const { clean, hiss } = await noisy(10);
    for (const reduction_db of [6, 12]) {
      const out = filter(plus(clean, hiss), () => 1600, new Denoiser({ ...DEFAULT, reduction_db }));
      for (const [from, to] of [
        [0.4, 0.9],
        [9.4, 9.9],
      ] as const) {
        const part = (all: Float32Array) => all.slice(from * RATE, to * RATE);
        const reduced = decibels(rms(part(hiss)) / rms(part(out)));
        expect(reduced).toBeWithin(reduction_db - 1.5, reduction_db + 1.5);
      }
    }
  });

  test("the segmental SNR rises by 4 dB at 0 and 5 dB, and by 2.5 at 10", async () => {
    for (const [snr, rise] of [
      [0, 4],
      [5, 4],
      [10, 2.5],
    ] as const) {
      const { clean, hiss } = await noisy(snr);
      const heard = plus(clean, hiss);
      expect(
        segmentalSnr(
          clean,
          filter(heard, () => 1600),
        ) - segmentalSnr(clean, heard),
        `${snr} dB`,
      ).toBeGreaterThan(rise);
    }
  });

  test("the voice keeps its level within 1.5 dB", async () => {
    const { clean, hiss } = await noisy(10);
    const heard = plus(clean, hiss);
    const spoken = (all: Float32Array) => rms(all.slice(2 * RATE, 8 * RATE));
    expect(Math.abs(decibels(spoken(filter(heard, () => 1600)) / spoken(clean)))).toBeLessThan(1.5);
  });

  test("estimates the level of the noise within 2 dB, and learns a louder noise within 3 s, with or without speech", async () => {
    let state = model.start();
    const settle = (samples: Float32Array): number => {
      let heard = 0;
      for (let at = 0; at < samples.length; at += 1600) {
        const [said, next] = model.step(samples.slice(at, at + 1600), state);
        heard = said?.noise_dbfs ?? heard;
        state = next;
      }
      return heard;
    };
    const quiet = noise(2, { seed: 1, level: 0.002 });
    expect(Math.abs(settle(quiet) - decibels(rms(quiet)))).toBeLessThan(2);
    const loud = noise(3, { seed: 2, level: 0.02 });
    expect(Math.abs(settle(loud) - decibels(rms(loud)))).toBeLessThan(2);
    // A muted microphone is not a quiet room: the estimate stays.
    settle(new Float32Array(3 * RATE));
    expect(Math.abs(settle(loud.slice(0, 4000)) - decibels(rms(loud)))).toBeLessThan(2);
  });
});

test("settings out of range are refused by name", () => {
  expect(denoise.validate?.({})).toEqual([]);
  expect(denoise.validate?.({ reduction_db: 12, smoothing: 0.95 })).toEqual([]);
  expect(denoise.validate?.({ reduction_db: -1, smoothing: 1, reduction: 3 })).toEqual([
    "reduction_db: found -1; allowed: a number from 0 to 60",
    "smoothing: found 1; allowed: a number from 0.9 to 0.999",
    'unknown setting "reduction"; did you mean "reduction_db"?',
  ]);
});
