import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import fc from "fast-check";
import { WaveFile } from "wavefile";

import { audioSource, openFile, readStream, type Source } from "../../../src/commands/terminal/audio-source.ts";
import { FORMAT, rejection } from "../../support/wire.ts";

let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "streamer-source-"));
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

/** The same buffer for every piece, as a file is read. */
async function* pieces(bytes: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(Math.max(...cuts));
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const piece = bytes.subarray(at, at + (cuts[i % cuts.length] ?? 1));
    buffer.set(piece);
    yield buffer.subarray(0, piece.length);
    at += piece.length;
  }
}

async function chunksOf(source: Source, bytes: number): Promise<number[][]> {
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

test("the audio of a file comes whole and in chunks of the size asked for, however it was read", async () => {
  const cuts = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 9 });
  await fc.assert(
    fc.asyncProperty(
      cuts,
      fc.integer({ min: 1, max: 70 }),
      fc.integer({ min: 1, max: 60 }),
      async (cuts, size, frames) => {
        const bytes = wav(frames);
        const tagged = new Uint8Array([...bytes, ...new TextEncoder().encode("LIST\u0004\0\0\0last")]);
        const source = await audioSource("a.wav", pieces(tagged, cuts), tagged.length);
        expect(source.seconds).toBe(frames / 8000);
        const chunks = await chunksOf(source, size);
        expect(chunks.flat()).toEqual([...bytes.subarray(44)]);
        for (const chunk of chunks.slice(0, -1)) expect(chunk.length).toBe(size);
        expect(source.missingBytes).toBe(0);
      },
    ),
  );
});

test("a file that is cut off gives what it has and says how much is missing", async () => {
  const bytes = wav(100).subarray(0, 44 + 150);
  const source = await audioSource("a.wav", pieces(bytes, [64]), bytes.length);
  expect(source.seconds).toBeCloseTo(37 / 8000);
  expect((await chunksOf(source, 100)).map((chunk) => chunk.length)).toEqual([100, 50]);
  expect(source.missingBytes).toBe(250);
});

test("a pipe's unknown size means: to the end", async () => {
  const bytes = wav(50);
  bytes.fill(255, 40, 44);
  const source = await audioSource("standard input", pieces(bytes, [7]), undefined);
  expect(source.seconds).toBeUndefined();
  expect((await chunksOf(source, 1000)).flat()).toEqual([...bytes.subarray(44)]);
  expect(source.missingBytes).toBe(0);
});

test("raw input is audio from its first byte", async () => {
  const bytes = wav(3);
  const source = await audioSource("a.raw", pieces(bytes, [5]), bytes.length, FORMAT);
  expect(source.seconds).toBe(bytes.length / 2 / 16000);
  expect((await chunksOf(source, 1000)).flat()).toEqual([...bytes]);
});

test("what is not WAV is refused by name with the reason", async () => {
  const of = async (bytes: Uint8Array) =>
    String(await rejection(audioSource("a.mp3", pieces(bytes, [9]), bytes.length)));
  expect(await of(new Uint8Array(0))).toContain("a.mp3: it is empty");
  expect(await of(wav(3).subarray(0, 30))).toContain("a.mp3: it ends after 30 bytes, within its WAV header");
  expect(await of(new TextEncoder().encode("ID3 something"))).toContain("a.mp3: not a WAV file that can be sent");
});

test("files that cannot be read are refused by name", async () => {
  expect(String(await rejection(openFile(join(folder, "none.wav"))))).toContain("none.wav: there is no such file");
  expect(String(await rejection(openFile(folder)))).toContain("it is a directory");
});

test("a file is read whole, with its size", async () => {
  const path = join(folder, "a.bin");
  const content = Uint8Array.from({ length: 200_000 }, (_, i) => i % 251);
  await Bun.write(path, content);
  await using file = await openFile(path);
  const { bytes, size } = file;
  expect(size).toBe(content.length);
  const read: Uint8Array[] = [];
  for await (const piece of bytes) read.push(piece.slice());
  expect(Buffer.concat(read).equals(Buffer.from(content))).toBe(true);
});

test("a read of a silent stream ends when it is told to", async () => {
  const abort = new AbortController();
  const silent = new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(Uint8Array.of(1)) });
  const read: number[] = [];
  for await (const piece of readStream(silent, abort.signal)) {
    read.push(...piece);
    setTimeout(() => abort.abort(), 1);
  }
  expect(read).toEqual([1]);
});
