import { expect, test } from "bun:test";

import { wavFormat } from "../../src/audio/wav-format.ts";
import { SAMPLE_FORMAT_NAMES, SAMPLE_FORMATS, type SampleFormat } from "../../src/lib/sample-format.ts";
import { sampleFields } from "../support/audio.ts";
import { fmt, fmtExtensible, littleEndian, withBlockAlign } from "../support/wav-bytes.ts";

/** Format codes by encoding; PCM has another one for floats. */
const CODES: Readonly<Record<string, number>> = { pcm: 1, alaw: 6, mulaw: 7 };

/** The place of the body in a plain file. */
const OFFSET = 20;

function read(body: Uint8Array) {
  return wavFormat(body, OFFSET);
}

test("every sample format whose encoding WAV has is read, plain and extensible", () => {
  for (const name of SAMPLE_FORMAT_NAMES) {
    const { bit_depth, is_float, encoding } = SAMPLE_FORMATS[name];
    const code = is_float ? 3 : CODES[encoding];
    if (code === undefined) continue;
    const format = { channels: 2, sample_rate: 22_050, bit_depth, is_float, encoding };
    expect(read(fmt(code, 2, 22_050, bit_depth))).toEqual(format);
    expect(read(fmtExtensible(code, 2, 22_050, bit_depth))).toEqual(format);
  }
});

test.each<[what: string, body: Uint8Array, format: SampleFormat]>([
  ["16 bits with block align 1", withBlockAlign(fmt(1, 1, 16_000, 16), 1), "s16"],
  ["16 bits with block align 0", withBlockAlign(fmt(1, 1, 16_000, 16), 0), "s16"],
  ["16 bits in stereo with the block align of one channel", withBlockAlign(fmt(1, 2, 16_000, 16), 2), "s16"],
  ["16 bits in mono with the block align of two channels", withBlockAlign(fmt(1, 1, 16_000, 16), 4), "s16"],
  ["24 bits in stereo with block align 0", withBlockAlign(fmt(1, 2, 48_000, 24), 0), "s24"],
  ["32-bit float with block align 1", withBlockAlign(fmt(3, 2, 48_000, 32), 1), "f32"],
  ["0 bits, with the size of a sample in the block align", fmt(1, 1, 16_000, 0, 2), "s16"],
  ["float of 0 bits, with the size of a sample in the block align", fmt(3, 1, 16_000, 0, 8), "f64"],
  ["12 bits in 2 bytes", fmt(1, 1, 16_000, 12), "s16"],
  ["20 bits in 3 bytes", fmt(1, 1, 16_000, 20), "s24"],
  ["4 bits in 1 byte", fmt(1, 1, 16_000, 4), "u8"],
  ["24 bits in 4 bytes", fmt(1, 2, 48_000, 24, 4), "s32"],
  ["24 bits in 4 bytes, extensible", fmtExtensible(1, 2, 48_000, 24, { container: 4 }), "s32"],
  ["24 valid bits of 32, extensible", fmtExtensible(1, 2, 48_000, 32, { valid: 24 }), "s32"],
  ["20 valid bits of 24, extensible", fmtExtensible(1, 2, 48_000, 24, { valid: 20 }), "s24"],
  ["0 valid bits of 16, extensible", fmtExtensible(1, 2, 48_000, 16, { valid: 0 }), "s16"],
  ["float, extensible", fmtExtensible(3, 2, 48_000, 32), "f32"],
  [
    "the float sub-format of ambisonic recordings",
    fmtExtensible(3, 4, 48_000, 32, { tail: Uint8Array.fromHex("00002107d3118644c8c1ca000000") }),
    "f32",
  ],
  ["A-law with 0 bits", fmt(6, 1, 8000, 0, 1), "alaw"],
  ["mu-law with 0 bits", fmt(7, 1, 8000, 0, 1), "mulaw"],
  ["A-law with 16 bits", fmt(6, 1, 8000, 16, 1), "alaw"],
  ["mu-law with 16 bits and their block align", fmt(7, 1, 8000, 16, 2), "mulaw"],
  ["A-law in stereo with block align 1", withBlockAlign(fmt(6, 2, 8000, 8), 1), "alaw"],
  ["mu-law in stereo with block align 0", withBlockAlign(fmt(7, 2, 8000, 8), 0), "mulaw"],
  [
    "a wrong number of bytes per second",
    littleEndian(fmt(1, 1, 16_000, 16).subarray(0, 8), [4, 1], [2, 2], [2, 16]),
    "s16",
  ],
])("reads %s", (_, body, format) => {
  expect(read(body)).toMatchObject(sampleFields(format));
});

test.each<[what: string, body: Uint8Array, reason: string, foreign: boolean]>([
  [
    "a codec",
    fmt(0x55, 2, 44_100, 16),
    "format code (bytes 20-21 of the WAV header): found MP3 (0x0055); allowed: integer, float, A-law, mu-law",
    true,
  ],
  [
    "an unknown codec",
    fmt(0x99, 2, 44_100, 16),
    "format code (bytes 20-21 of the WAV header): found the unknown code 0x0099",
    true,
  ],
  [
    "a codec in the extensible form",
    fmtExtensible(2, 2, 44_100, 4),
    "format code (bytes 44-45 of the WAV header): found Microsoft ADPCM",
    true,
  ],
  [
    "a sub-format",
    fmtExtensible(1, 1, 16_000, 16, { tail: new Uint8Array(14) }),
    "sub-format (bytes 44-59 of the WAV header): found 01000000",
    true,
  ],
  [
    "integer samples that are too large",
    fmt(1, 1, 16_000, 48),
    "bits per sample (bytes 34-35 of the WAV header): found 48 for integer samples; allowed: 1 to 32",
    true,
  ],
  ["float samples of another size", fmt(3, 1, 16_000, 16), "found 16 for float samples; allowed: 32, 64", true],
  ["0 bits without a block align", fmt(1, 1, 16_000, 0, 0), "found 0 for integer samples", false],
  ["0 channels", fmt(1, 0, 16_000, 16), "channels (bytes 22-23 of the WAV header): found 0; allowed: 1 or more", false],
  ["a sample rate of 0", fmt(1, 1, 0, 16), "sample rate (bytes 24-27 of the WAV header): found 0", false],
  [
    "an extensible header that is too short",
    fmt(0xfffe, 1, 16_000, 16),
    "found extensible in a fmt chunk of 16 bytes; allowed: 40",
    false,
  ],
])("names %s, its place, and what is allowed", (_, body, reason, foreign) => {
  expect(read(body)).toEqual({ reason: expect.stringContaining(reason), foreign });
});
