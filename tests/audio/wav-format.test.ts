import { expect, test } from "bun:test";

import { wavFormat } from "../../src/audio/wav-format.ts";
import { SAMPLE_FORMAT_NAMES, SAMPLE_FORMATS } from "../../src/lib/sample-format.ts";
import { fmt, fmtExtensible, littleEndian } from "../support/wav-bytes.ts";

/** Format codes by encoding; PCM has another one for floats. */
const CODES: Readonly<Record<string, number>> = { pcm: 1, alaw: 6, mulaw: 7 };

test("every sample format whose encoding WAV has is read, plain and extensible", () => {
  for (const name of SAMPLE_FORMAT_NAMES) {
    const { bit_depth, is_float, encoding } = SAMPLE_FORMATS[name];
    const code = is_float ? 3 : CODES[encoding];
    if (code === undefined) continue;
    const format = { channels: 2, sample_rate: 22_050, bit_depth, is_float, encoding };
    expect(wavFormat(fmt(code, 2, 22_050, bit_depth))).toEqual(format);
    expect(wavFormat(fmtExtensible(code, 2, 22_050, bit_depth))).toEqual(format);
  }
});

test("samples lie at the top of their container, whose size decides", () => {
  for (const [bits, depth] of [
    [12, 16],
    [20, 24],
  ] as const) {
    expect(wavFormat(fmt(1, 1, 16_000, bits))).toMatchObject({ bit_depth: depth, is_float: false });
  }
  expect(wavFormat(fmtExtensible(1, 2, 48_000, 32, 24))).toMatchObject({ bit_depth: 32, is_float: false });
});

test("a codec, a sample size or a field that cannot be read is named", () => {
  for (const [body, reason] of [
    [fmt(0x55, 2, 44_100, 16), "MP3 (0x0055)"],
    [fmt(0x99, 2, 44_100, 16), "an unknown codec (0x0099)"],
    [fmt(1, 1, 16_000, 48), "integer samples have 48 bits in 6 bytes; 8, 16, 24, 32 bits are supported"],
    [fmt(3, 1, 16_000, 8), "float samples have 8 bits"],
    [fmt(6, 1, 16_000, 16), "alaw samples have 16 bits in 2 bytes; 8 bits are supported"],
    [fmt(1, 1, 16_000, 24, 4), "24 bits in 4 bytes"],
    [fmt(1, 1, 16_000, 0, 1), "0 bits in 1 bytes"],
    [fmt(1, 0, 16_000, 16), "0 channels"],
    [fmt(1, 1, 0, 16), "a sample rate of 0"],
    [fmt(0xfffe, 1, 16_000, 16), "too short for a sub-format"],
    [littleEndian(fmtExtensible(1, 1, 16_000, 16).subarray(0, 39), [2, 9]).subarray(0, 40), "sub-format is not known"],
  ] as const) {
    expect(wavFormat(body)).toContain(reason);
  }
});
