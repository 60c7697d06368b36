import { expect, test } from "bun:test";

import { openWav } from "../../src/client/wav.ts";
import { encode, noise, wav } from "../support/audio.ts";
import { rejection } from "../support/wire.ts";

const SAMPLES = encode("s16", noise(0.2), noise(0.2, { seed: 2 }));
const FILE = wav({ channels: 2, sample_rate: 16_000, bit_depth: 16, is_float: false }, SAMPLES);

async function audioOf(source: Parameters<typeof openWav>[0]) {
  const file = await openWav(source);
  const parts: Uint8Array[] = [];
  for await (const part of file) parts.push(part);
  return { ...file, format: file.format, audio: Buffer.concat(parts), remarks: file.remarks };
}

test("a file is its audio, by whatever pieces and from whatever source it comes", async () => {
  const bytes = [...FILE].map((byte) => Uint8Array.of(byte));
  for (const source of [new Blob([FILE]), new Blob([FILE]).stream(), bytes, [FILE]]) {
    const { format, seconds, audio, remarks } = await audioOf(source);
    expect(format).toMatchObject({ channels: 2, sample_rate: 16_000, bit_depth: 16, is_float: false });
    expect(seconds).toBeCloseTo(0.2);
    expect(audio.equals(SAMPLES)).toBe(true);
    expect(remarks).toEqual([]);
  }
});

test("a file without its end has its audio, and a remark", async () => {
  const { audio, remarks } = await audioOf(new Blob([FILE.subarray(0, FILE.length - 100)]));
  expect(audio.length).toBe(SAMPLES.length - 100);
  expect(remarks.join()).toContain("the file is cut off: 100 of the");
});

test("what is no WAV file is refused in words, and its source given up", async () => {
  let isOver = false;
  const source = (function* () {
    try {
      yield new TextEncoder().encode("OggS, not RIFF");
      yield FILE;
    } finally {
      isOver = true;
    }
  })();
  expect(await rejection(openWav(source))).toMatchObject({
    name: "WavError",
    message: "not a supported WAV file: it does not begin with RIFF",
  });
  expect(isOver).toBe(true);
  expect(await rejection(openWav([]))).toMatchObject({ message: "the file is empty" });
  expect(await rejection(openWav([FILE.subarray(0, 20)]))).toMatchObject({
    message: expect.stringContaining("the file ends within its WAV header, after 20 bytes"),
  });
});
