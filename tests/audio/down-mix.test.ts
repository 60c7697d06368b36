import { describe, expect, test } from "bun:test";

import fc from "fast-check";

import { DownMix, mixedFormat } from "../../src/audio/down-mix.ts";
import { encode } from "../support/audio.ts";

const STEREO = { channels: 2, sample_rate: 8_000, bit_depth: 16, is_float: false, encoding: "pcm" } as const;

function samplesOf(bytes: Uint8Array): number[] {
  return [...new Float32Array(bytes.slice().buffer)];
}

describe("mixed channels", () => {
  test("are the mean of each frame, as floats", () => {
    const mix = new DownMix(STEREO);
    const bytes = Buffer.from(new Int16Array([16_384, 0, -32_768, -32_768, 100, -100]).buffer);
    expect(samplesOf(mix.push(bytes))).toEqual([0.25, -1, 0]);
    expect(mixedFormat(STEREO)).toEqual({
      channels: 1,
      sample_rate: 8_000,
      bit_depth: 32,
      is_float: true,
      encoding: "pcm",
    });
  });

  test("are the same however the bytes are cut; an incomplete frame is left out", () => {
    const format = { ...STEREO, channels: 3, bit_depth: 24 } as const;
    const bytes = Buffer.from(Array.from({ length: 9 * 40 + 5 }, (_, i) => (i * 37) % 256));
    const whole = samplesOf(new DownMix(format).push(bytes));
    expect(whole).toHaveLength(40);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), (size) => {
        const mix = new DownMix(format);
        const found: number[] = [];
        for (let at = 0; at < bytes.length; at += size)
          found.push(...samplesOf(mix.push(bytes.subarray(at, at + size))));
        expect(found).toEqual(whole);
        expect(mix.pendingBytes).toBe(5);
      }),
    );
  });

  test("of one recording on both channels are that recording", () => {
    const one = new Float32Array([0.5, -0.25, 0.125]);
    const bytes = encode("f32", one, one);
    expect(samplesOf(new DownMix({ ...STEREO, bit_depth: 32, is_float: true }).push(bytes))).toEqual([...one]);
  });
});
