import { expect, test } from "bun:test";

import fc from "fast-check";

import { isLowJustified, TopByteRemover } from "../../src/audio/low-justified.ts";
import { cut } from "../support/pcm.ts";

/** Samples of 24 bits in four bytes, in the lower or the upper three. */
function packed(samples: readonly number[], shift: 0 | 8): Uint8Array {
  return new Uint8Array(Int32Array.from(samples, (sample) => sample << shift).buffer);
}

test("samples of 24 bits in the lower three bytes of four are told from those in the upper three", () => {
  const samples = [0, 1, -1, 0x7fffff, -0x800000, 0x123456, -0x123456];
  expect(isLowJustified(packed(samples, 0))).toBe(true);
  expect(isLowJustified(packed(samples, 8))).toBe(false);
  // The start of a recording: quiet.
  expect(isLowJustified(packed([0, 0, 3, -2, 1], 0))).toBe(true);
  expect(isLowJustified(packed([0, 0, 3, -2, 1], 8))).toBe(false);
});

test("samples of 16 bits in the lower three bytes, whose lowest byte is 0, are told by their level", () => {
  const samples = [0, 1, -1, 0x0800, -0x0900].map((sample) => sample << 8);
  expect(isLowJustified(packed(samples, 0))).toBe(true);
  expect(isLowJustified(packed(samples, 8))).toBe(false);
  // Noise of a room: in the upper three bytes -90 dBFS.
  expect(isLowJustified(packed([3 << 8, -2 << 8, 0x200 << 8], 0))).toBe(false);
});

test("samples of 24 or 16 bits in the lower three bytes may have a top byte of 0", () => {
  for (const samples of [
    [1, -1, 0x123456, -0x123456],
    [0, 0x1234 << 8, -0x1234 << 8],
  ]) {
    const masked = samples.map((sample) => sample & 0xffffff);
    expect(isLowJustified(packed(masked, 0))).toBe(true);
    expect(isLowJustified(packed(masked, 8))).toBe(false);
  }
});

test("samples of 32 bits, silence and nothing are as WAV has them", () => {
  for (const samples of [[0x12345678, -5], [0, 0], []]) {
    expect(isLowJustified(new Uint8Array(Int32Array.from(samples).buffer))).toBe(false);
  }
});

test("the three lower bytes of each sample are kept, however the bytes are cut", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: -0x800000, max: 0x7fffff })),
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
      (samples, cuts) => {
        const remover = new TopByteRemover();
        const kept = Buffer.concat([...cut(packed(samples, 0), cuts)].map((piece) => remover.push(piece)));
        expect(kept).toHaveLength(3 * samples.length);
        expect(samples.map((_, i) => kept.readIntLE(3 * i, 3))).toEqual(samples);
      },
    ),
  );
});
