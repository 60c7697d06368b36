import { describe, expect, test } from "bun:test";

import {
  BLOCK_BYTES,
  isRepetitive,
  levelOf,
  type Reading,
  repeatsSigns,
  repetition,
  roughness,
} from "../../src/audio/readings.ts";
import { SAMPLE_FORMAT_NAMES, SAMPLE_FORMATS } from "../../src/lib/sample-format.ts";
import { encode, seeded } from "../support/audio.ts";
import { reversed } from "../support/foreign-audio.ts";

const plain = (format: Reading["format"]): Reading => ({ format, bigEndian: false, shift: 0 });

function tone(cyclesPerSample: number, level = 0.5): Float32Array {
  return Float32Array.from({ length: 1000 }, (_, i) => level * Math.sin(2 * Math.PI * cyclesPerSample * i + 0.1));
}

function white(level: number, length = 1000): Float32Array {
  const random = seeded(3);
  return Float32Array.from({ length }, () => level * (2 * random() - 1));
}

describe.each(SAMPLE_FORMAT_NAMES)("the format %s", (format) => {
  test("a block has whole samples", () => {
    expect(BLOCK_BYTES % SAMPLE_FORMATS[format].bytes).toBe(0);
  });

  test("a tone of frequency f has a roughness of 1 - cos(2 pi f), noise has 1, wherever the block lies", () => {
    for (const cycles of [0.05, 0.1, 0.2, 0.4]) {
      const bytes = Buffer.concat([Buffer.alloc(5), encode(format, tone(cycles))]);
      expect(roughness(bytes, 5, plain(format), 1)).toBeCloseTo(1 - Math.cos(2 * Math.PI * cycles), 1);
    }
    expect(Math.abs(roughness(encode(format, white(0.5)), 0, plain(format), 1) - 1)).toBeLessThan(0.3);
  });

  test("reversed bytes have the roughness of the samples when they are read as big-endian", () => {
    const bytes = encode(format, tone(0.05));
    const swapped = reversed(format, bytes);
    const expected = roughness(bytes, 0, plain(format), 1);
    expect(roughness(swapped, 0, { ...plain(format), bigEndian: true }, 1)).toBe(expected);
  });

  test("levels are in dBFS, without DC", () => {
    const bytes = encode(
      format,
      tone(0.05, 0.25).map((sample) => sample + 0.5),
    );
    expect(levelOf(bytes, 0, 160 * SAMPLE_FORMATS[format].bytes, format)).toBeCloseTo(-15.1, 0);
  });
});

test("a frame has as many samples as channels", () => {
  const [left, right] = [tone(0.01), white(0.01)];
  const bytes = encode("s16", left, right);
  expect(roughness(bytes, 0, plain("s16"), 2)).toBeLessThan(0.1);
  expect(roughness(bytes, 0, plain("s16"), 1)).toBeGreaterThan(0.8);
});

test("a block that begins with a part of a sample is read behind it", () => {
  const bytes = Buffer.concat([Buffer.of(1), encode("s16", tone(0.03))]);
  expect(roughness(bytes, 0, plain("s16"), 1)).toBeGreaterThan(0.5);
  expect(roughness(bytes, 0, { ...plain("s16"), shift: 1 }, 1)).toBeLessThan(0.1);
});

test("bytes of other formats are no floats: their level is infinite", () => {
  const bytes = encode("s16", tone(0.05));
  expect(levelOf(bytes, 0, 240, "f32")).toBe(Infinity);
  expect(roughness(bytes, 0, plain("f32"), 1)).toBe(1);
});

test("silence and short periods are repetitive, noise is not", () => {
  expect(isRepetitive(encode("s16", tone(0.25)), 0)).toBe(true);
  expect(isRepetitive(Buffer.concat([Buffer.alloc(480), encode("s16", white(0.5))]), 0)).toBe(true);
  expect(isRepetitive(encode("s16", white(0.5)), 0)).toBe(false);
  expect(isRepetitive(encode("mulaw", white(0.001)), 0)).toBe(false);
});

test("equal channels repeat their bytes", () => {
  const noise = white(0.5);
  expect(repetition(encode("s16", noise, noise), 0, 2)).toBeGreaterThan(0.45);
  expect(repetition(encode("s16", noise), 0, 2)).toBeLessThan(0.1);
});

test("quiet big-endian samples repeat their signs; little-endian ones do not, nor 8 bits widened to 16", () => {
  const quiet = encode("s16", white(0.003));
  const wide = encode(
    "s16",
    white(1).map((sample) => Math.round(128 * sample) / 128),
  );
  expect(repeatsSigns(reversed("s16", quiet), 0)).toBe(true);
  expect(repeatsSigns(quiet, 0)).toBe(false);
  expect(repeatsSigns(wide, 0)).toBe(false);
  expect(repeatsSigns(encode("s16", white(1)), 0)).toBe(false);
  expect(repeatsSigns(new Uint8Array(BLOCK_BYTES), 0)).toBe(false);
});
