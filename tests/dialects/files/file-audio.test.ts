import { describe, expect, test } from "bun:test";

import fc from "fast-check";

import { FileAudio, type FileAudioOptions } from "../../../src/dialects/files/file-audio.ts";
import { wav } from "../../support/audio.ts";

const S16 = { channels: 1, sample_rate: 16_000, bit_depth: 16, is_float: false, encoding: "pcm" } as const;
const samples = Buffer.from(Array.from({ length: 400 }, (_, i) => (i * 31) % 256));

function read(bytes: Uint8Array, options: Partial<FileAudioOptions> = {}, size = bytes.length || 1) {
  const audio = new FileAudio({ mixes: false, name: "file", ...options });
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += size) parts.push(...audio.push(bytes.subarray(at, at + size)));
  parts.push(...audio.end());
  return { format: audio.format, bytes: Buffer.concat(parts) };
}

describe("the samples of a file", () => {
  test("are those of a WAV file, without its header and what stands behind them, however it is cut", () => {
    const list = Buffer.from("LIST\x04\0\0\0abcd", "latin1");
    const whole = Buffer.concat([wav(S16, samples), list]);
    whole.writeUInt32LE(whole.length - 8, 4);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: whole.length }), (size) => {
        expect(read(whole, {}, size)).toEqual({ format: S16, bytes: samples });
      }),
    );
  });

  test("are all bytes when the client says their format, and a WAV header when there is one all the same", () => {
    const format = { ...S16, sample_rate: 8_000 };
    expect(read(samples, { format }, 1)).toEqual({ format, bytes: samples });
    expect(read(wav(S16, samples), { format }, 5)).toEqual({ format: S16, bytes: samples });
    expect(read(Buffer.from("RIFF"), { format }, 1)).toEqual({ format, bytes: Buffer.from("RIFF") });
  });

  test("are mixed if the client does not ask for each channel", () => {
    const stereo = wav({ ...S16, channels: 2 }, samples);
    const { format, bytes } = read(stereo, { mixes: true }, 3);
    expect([format?.channels, format?.is_float, bytes.length]).toEqual([1, true, 400]);
    expect(read(stereo, {}).format?.channels).toBe(2);
    expect(read(wav(S16, samples), { mixes: true })).toEqual({ format: S16, bytes: samples });
  });

  test("are those that are there when the file is shorter than it says", () => {
    expect(read(wav(S16, samples).subarray(0, 44 + 77)).bytes).toEqual(samples.subarray(0, 77));
  });

  test.each([
    ["fLaC\0\0\0\x22", "a FLAC file"],
    ["ID3\x04", "MP3"],
    ["OggS\0", "an Ogg file"],
    ["\x1a\x45\xdf\xa3", "a WebM or Matroska file"],
    ["\0\0\0\x20ftypM4A ", "an MP4, M4A or QuickTime file"],
    ["FORM\0\0\0\0AIFF", "an AIFF file"],
    ["RIFX\0\0\0\0WAVE", "a big-endian WAV file"],
    ["RIFF\0\0\0\0AVI LIST", "an AVI file"],
    ["#!AMR\n", "an AMR file"],
    ["hello, this is text", "no WAV file (it does not begin with RIFF)"],
    ["RIFF", "a WAV file that ends in its header"],
    ["RIFF\x24\0\0\0WAVEfmt ", "a WAV file that ends in its header"],
  ])("that begins with %j is refused by its name, in any cut", (first, name) => {
    for (const size of [1, 3, 5_000]) {
      expect(() => read(Buffer.from(first, "latin1"), {}, size)).toThrow(`file: found ${name}`);
    }
  });

  test("of frames without a container are found by their headers", () => {
    const frame = Buffer.concat([Buffer.from([0xff, 0xfb, 0x90, 0x00]), Buffer.alloc(413)]);
    expect(() => read(Buffer.concat(Array.from({ length: 12 }, () => frame)), {}, 100)).toThrow("MP3");
  });

  test("must be there", () => {
    expect(() => read(Buffer.alloc(0))).toThrow("file: found no bytes; allowed: audio");
    expect(read(wav(S16, Buffer.alloc(0))).bytes).toHaveLength(0);
  });
});
