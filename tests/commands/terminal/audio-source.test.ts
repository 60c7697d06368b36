import { expect, test } from "bun:test";

import fc from "fast-check";
import { WaveFile } from "wavefile";

import { type AudioSource, openAudioSource } from "../../../src/commands/terminal/audio-source.ts";
import { chunk, fmt, littleEndian, wavStart, withBlockAlign } from "../../support/wav-bytes.ts";
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

/** Opens these bytes as a file, or as a pipe. */
function open(bytes: Uint8Array, { name = "a.wav", cuts = [64], pipe = false } = {}): Promise<AudioSource> {
  return openAudioSource({ name, bytes: pieces(bytes, cuts), size: pipe ? undefined : bytes.length });
}

/** All there is to a source. */
async function read(source: AudioSource) {
  const { format, seconds } = source;
  const first = source.takeRemarks();
  const audio = Buffer.from((await chunksOf(source, 100)).flat()).toString("latin1");
  return { format, seconds, audio, remarks: [...first, ...source.takeRemarks()] };
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
        const tagged = littleEndian(bytes, chunk("LIST", littleEndian("last")));
        const source = await open(tagged, { cuts });
        expect(source.seconds).toBe(frames / 8000);
        const chunks = await chunksOf(source, size);
        expect(chunks.flat()).toEqual([...bytes.subarray(44)]);
        for (const chunk of chunks.slice(0, -1)) expect(chunk.length).toBe(size);
        expect(source.takeRemarks()).toEqual([]);
      },
    ),
  );
});

test("a truncated file has its audio, and a remark with the number of missing bytes", async () => {
  const source = await open(wav(100).subarray(0, 44 + 150));
  expect(source.seconds).toBeCloseTo(37 / 8000);
  expect((await chunksOf(source, 100)).map((chunk) => chunk.length)).toEqual([100, 50]);
  const remark = "a.wav is cut off: 250 of the 400 bytes of audio that its header declares are missing";
  expect(source.takeRemarks()).toEqual([remark]);
  expect(source.takeRemarks()).toEqual([]);
});

const FMT = chunk("fmt ", fmt(1, 1, 16_000, 16));
const AUDIO = "sixteen bytes...";

test.each([
  ["of a pipe", { dataBytes: 0xffffffff, riffSize: 0xffffffff }],
  ["of SoX", { dataBytes: 0x7ffff000, riffSize: 0x7ffff024 }],
  ["of arecord", { dataBytes: 0x80000000, riffSize: 0x80000024 }],
])("with the sizes %s, the audio extends to the end of a pipe or a file, without a remark", async (_, sizes) => {
  const bytes = littleEndian(wavStart([FMT], sizes), AUDIO);
  expect(await read(await open(bytes, { pipe: true }))).toMatchObject({
    seconds: undefined,
    audio: AUDIO,
    remarks: [],
  });
  expect(await read(await open(bytes))).toMatchObject({ seconds: 8 / 16_000, audio: AUDIO, remarks: [] });
});

test.each([
  ["a data size of 0 and a right RIFF size", { dataBytes: 0, riffSize: 36 + 16 }],
  ["a data size of 0 and a RIFF size of 36", { dataBytes: 0 }],
  ["both sizes 0", { dataBytes: 0, riffSize: 0 }],
])("with %s, the audio is read up to the end, and a remark says so", async (_, sizes) => {
  const bytes = littleEndian(wavStart([FMT], sizes), AUDIO);
  const remark = "a.wav: its header declares 0 bytes of audio, and more follow; the audio is read up to the end";
  for (const cuts of [[1], [64]]) {
    expect(await read(await open(bytes, { cuts }))).toMatchObject({
      seconds: 8 / 16_000,
      audio: AUDIO,
      remarks: [remark],
    });
    expect(await read(await open(bytes, { cuts, pipe: true }))).toMatchObject({ audio: AUDIO, remarks: [remark] });
  }
});

test("a data chunk of 0 bytes without audio behind it is an empty recording", async () => {
  for (const tail of [new Uint8Array(0), chunk("LIST", littleEndian("INFO"))]) {
    const bytes = littleEndian(wavStart([FMT], { dataBytes: 0, riffSize: 36 + tail.length }), tail);
    expect(await read(await open(bytes))).toMatchObject({ seconds: 0, audio: "", remarks: [] });
    expect(await read(await open(bytes, { pipe: true }))).toMatchObject({ seconds: 0, audio: "", remarks: [] });
  }
});

test("a file that goes on behind a data size that is too small is read up to the end, and a remark says so", async () => {
  const bytes = littleEndian(wavStart([FMT], { dataBytes: 4, riffSize: 36 + 16 }), AUDIO);
  const remark = "a.wav: its header declares 4 bytes of audio, and more follow; the audio is read up to the end";
  expect(await read(await open(bytes))).toMatchObject({ audio: AUDIO, remarks: [remark] });
});

test("what is behind the audio of a right size is not audio: chunks quietly, other bytes with a remark", async () => {
  const start = wavStart([FMT], { dataBytes: 16 });
  for (const tail of ["", "\0", "TAG"].map((text) => littleEndian(text))) {
    expect(await read(await open(littleEndian(start, AUDIO, tail)))).toMatchObject({ audio: AUDIO, remarks: [] });
  }
  for (const name of ["LIST", "id3 ", "bext"]) {
    const tail = chunk(name, new Uint8Array(50));
    expect(await read(await open(littleEndian(start, AUDIO, tail)))).toMatchObject({ audio: AUDIO, remarks: [] });
  }
  const tagged = await read(await open(littleEndian(start, AUDIO, "TAG", new Uint8Array(125))));
  const remark = "a.wav: its header declares 16 bytes of audio; the 128 bytes behind them are left out";
  expect(tagged).toMatchObject({ audio: AUDIO, remarks: [remark] });
});

test("a header of more than 2 MiB is skipped, also in a pipe", async () => {
  const big = chunk("JUNK", new Uint8Array(2 * 1024 * 1024 + 1));
  const bytes = littleEndian(wavStart([big, FMT, chunk("bext", new Uint8Array(70_000))], { dataBytes: 16 }), AUDIO);
  for (const pipe of [false, true]) {
    const source = await open(bytes, { cuts: [65_536], pipe });
    expect(await read(source)).toMatchObject({ seconds: 8 / 16_000, audio: AUDIO, remarks: [] });
  }
});

test("a format that the header describes badly is read as other programs do", async () => {
  const body = withBlockAlign(fmt(1, 1, 16_000, 16), 1);
  const bytes = littleEndian(wavStart([chunk("fmt ", body)], { dataBytes: 16 }), AUDIO);
  expect(await read(await open(bytes))).toMatchObject({ format: FORMAT, seconds: 8 / 16_000, audio: AUDIO });
});

test("raw input is audio from its first byte", async () => {
  const bytes = wav(3);
  const input = { name: "a.raw", bytes: pieces(bytes, [5]), size: bytes.length };
  const source = await openAudioSource(input, FORMAT);
  expect(source.seconds).toBe(bytes.length / 2 / 16000);
  expect((await chunksOf(source, 1000)).flat()).toEqual([...bytes]);
});

test("a file that is not WAV is refused with the reason", async () => {
  const of = async (bytes: Uint8Array) => String(await rejection(open(bytes, { name: "a.txt", cuts: [9] })));
  expect(await of(new Uint8Array(0))).toContain("a.txt: is empty");
  expect(await of(wav(3).subarray(0, 30))).toContain(
    "a.txt: ends within its WAV header, after 30 bytes, and its last chunk is 'fmt ' at byte 12, of 16 bytes",
  );
  expect(await of(littleEndian("some text"))).toContain("a.txt: not a supported WAV file: it does not begin with RIFF");
});
