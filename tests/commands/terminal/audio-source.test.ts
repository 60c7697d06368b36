import { expect, test } from "bun:test";

import fc from "fast-check";
import { WaveFile } from "wavefile";

import { type AudioSource, openAudioSource } from "../../../src/commands/terminal/audio-source.ts";
import { FORMAT, rejection } from "../../support/wire.ts";

/** Yields the bytes in one buffer, like the reader of a file. */
async function* pieces(bytes: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(Math.max(...cuts));
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const piece = bytes.subarray(at, at + (cuts[i % cuts.length] ?? 1));
    buffer.set(piece);
    yield buffer.subarray(0, piece.length);
    at += piece.length;
  }
}

async function chunksOf(source: AudioSource, bytes: number): Promise<number[][]> {
  const chunks: number[][] = [];
  for await (const chunk of source.chunks(bytes)) chunks.push([...chunk]);
  return chunks;
}

function wav(frames: number): Uint8Array {
  const file = new WaveFile();
  const samples = Array.from({ length: frames * 2 }, (_, i) => i % 1000);
  file.fromScratch(2, 8000, "16", samples);
  return file.toBuffer();
}

test("the audio of a file is complete and in chunks of the requested size, however it is read", async () => {
  const cuts = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 9 });
  await fc.assert(
    fc.asyncProperty(
      cuts,
      fc.integer({ min: 1, max: 70 }),
      fc.integer({ min: 1, max: 60 }),
      async (cuts, size, frames) => {
        const bytes = wav(frames);
        const tagged = new Uint8Array([...bytes, ...new TextEncoder().encode("LIST\u0004\0\0\0last")]);
        const source = await openAudioSource("a.wav", pieces(tagged, cuts), tagged.length);
        expect(source.seconds).toBe(frames / 8000);
        const chunks = await chunksOf(source, size);
        expect(chunks.flat()).toEqual([...bytes.subarray(44)]);
        for (const chunk of chunks.slice(0, -1)) expect(chunk.length).toBe(size);
        expect(source.missingBytes).toBe(0);
      },
    ),
  );
});

test("a truncated file has its audio and the number of missing bytes", async () => {
  const bytes = wav(100).subarray(0, 44 + 150);
  const source = await openAudioSource("a.wav", pieces(bytes, [64]), bytes.length);
  expect(source.seconds).toBeCloseTo(37 / 8000);
  expect((await chunksOf(source, 100)).map((chunk) => chunk.length)).toEqual([100, 50]);
  expect(source.missingBytes).toBe(250);
});

test("with an unknown size, the audio extends to the end of a pipe", async () => {
  const bytes = wav(50);
  bytes.fill(255, 40, 44);
  const source = await openAudioSource("standard input", pieces(bytes, [7]), undefined);
  expect(source.seconds).toBeUndefined();
  expect((await chunksOf(source, 1000)).flat()).toEqual([...bytes.subarray(44)]);
  expect(source.missingBytes).toBe(0);
});

test("raw input is audio from its first byte", async () => {
  const bytes = wav(3);
  const source = await openAudioSource("a.raw", pieces(bytes, [5]), bytes.length, FORMAT);
  expect(source.seconds).toBe(bytes.length / 2 / 16000);
  expect((await chunksOf(source, 1000)).flat()).toEqual([...bytes]);
});

test("a file that is not WAV is refused with the reason", async () => {
  const of = async (bytes: Uint8Array) =>
    String(await rejection(openAudioSource("a.mp3", pieces(bytes, [9]), bytes.length)));
  expect(await of(new Uint8Array(0))).toContain("a.mp3: is empty");
  expect(await of(wav(3).subarray(0, 30))).toContain("a.mp3: ends within its WAV header, after 30 bytes");
  expect(await of(new TextEncoder().encode("ID3 something"))).toContain("a.mp3: not a supported WAV file");
});
