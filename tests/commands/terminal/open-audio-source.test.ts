import { expect, test } from "bun:test";
import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";

import fc from "fast-check";
import { WaveFile } from "wavefile";

import type { AudioSource } from "../../../src/commands/terminal/audio-source.ts";
import { findFfmpeg, openAudioSource } from "../../../src/commands/terminal/open-audio-source.ts";
import type { AudioFormat } from "../../../src/protocol/format.ts";
import { FakeFfmpeg } from "../../support/fake-ffmpeg.ts";
import { chunk, fmt, fmtExtensible, littleEndian, wavStart, withBlockAlign } from "../../support/wav-bytes.ts";
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

test("24 bits in four bytes are read where they are: above, as WAV has them, or below, as arecord writes them", async () => {
  const samples = [0, 0, 1, -1, 0x123456, -0x800000, 0x7fffff, 5];
  for (const body of [fmt(1, 2, 16_000, 24, 4), fmtExtensible(1, 2, 16_000, 32, { valid: 24 })]) {
    const start = wavStart([chunk("fmt ", body)], { dataBytes: 4 * samples.length });
    for (const cuts of [[7], [1000]]) {
      const upper = new Uint8Array(Int32Array.from(samples, (sample) => sample << 8).buffer);
      const above = await open(littleEndian(start, upper), { cuts });
      expect(above).toMatchObject({ format: { bit_depth: 32 }, seconds: 4 / 16_000 });
      expect((await chunksOf(above, 100)).flat()).toEqual([...upper]);
      const below = await open(littleEndian(start, new Uint8Array(Int32Array.from(samples).buffer)), { cuts });
      expect(below).toMatchObject({ format: { bit_depth: 24 }, seconds: 4 / 16_000 });
      const packed = Buffer.from((await chunksOf(below, 100)).flat());
      expect(samples.map((_, i) => packed.readIntLE(3 * i, 3))).toEqual(samples);
    }
  }
});

test("a quiet start of a file does not decide where 24 bits in four bytes are", async () => {
  const quiet = Array.from({ length: 40_000 }, (_, i) => (i % 2 === 0 ? 3000 : -3000) << 8);
  for (const { loud, bitDepth } of [
    { loud: 0x400000, bitDepth: 32 as const },
    { loud: 0x7000, bitDepth: 24 as const },
  ]) {
    const samples = Int32Array.from([...quiet, loud << 8]);
    const head = wavStart([chunk("fmt ", fmt(1, 1, 16_000, 24, 4))], { dataBytes: samples.byteLength });
    const source = await open(littleEndian(head, new Uint8Array(samples.buffer)), { cuts: [65_536] });
    expect(source.format.bit_depth).toBe(bitDepth);
  }
});

test("a second data chunk is left out with a warning, in a file and in a pipe, whatever the RIFF size says", async () => {
  const more = chunk("data", littleEndian("second"));
  const remark = "a.wav: its header declares 8 bytes of audio; a second 'data' chunk behind them is left out";
  for (const riffSize of [44, 58, 70, 0, 0xffffffff, 54]) {
    const start = wavStart([chunk("fmt ", fmt(1, 1, 16_000, 16))], { dataBytes: 8, riffSize });
    for (const pipe of [false, true]) {
      const { audio, remarks } = await read(await open(littleEndian(start, "8 bytes!", more), { pipe, cuts: [50] }));
      expect({ riffSize, audio, remarks }).toEqual({ riffSize, audio: "8 bytes!", remarks: [remark] });
    }
  }
});

test("a second data chunk behind other chunks is left out with a warning, in a file and in a pipe", async () => {
  const tail = littleEndian(chunk("LIST", littleEndian("INFO")), chunk("data", littleEndian("second")));
  const remark = "a.wav: its header declares 8 bytes of audio; a second 'data' chunk behind them is left out";
  const start = wavStart([chunk("fmt ", fmt(1, 1, 16_000, 16))], { dataBytes: 8, riffSize: 44 + tail.length });
  for (const pipe of [false, true]) {
    const { audio, remarks } = await read(await open(littleEndian(start, "8 bytes!", tail), { pipe, cuts: [50] }));
    expect({ audio, remarks }).toEqual({ audio: "8 bytes!", remarks: [remark] });
  }
});

test("raw input is audio from its first byte", async () => {
  const bytes = wav(3);
  const input = { name: "a.raw", bytes: pieces(bytes, [5]), size: bytes.length };
  const source = await openAudioSource(input, { raw: FORMAT });
  expect(source.seconds).toBe(bytes.length / 2 / 16000);
  expect((await chunksOf(source, 1000)).flat()).toEqual([...bytes]);
});

test("a file that is not WAV is refused with the reason", async () => {
  const of = async (bytes: Uint8Array) => String(await rejection(open(bytes, { name: "a.txt", cuts: [9] })));
  expect(await of(new Uint8Array(0))).toContain("a.txt: is empty");
  expect(await of(wav(3).subarray(0, 30))).toContain(
    "a.txt: ends within its WAV header, after 30 bytes, and its last chunk is 'fmt ' at byte 12, of 16 bytes",
  );
  expect(await of(littleEndian("some text"))).toContain(
    "a.txt: not a supported WAV file: it does not begin with RIFF (for PCM without a header, use --raw)",
  );
});

const OGG = littleEndian("OggS", new Uint8Array(5000));
const ADPCM = littleEndian(wavStart([chunk("fmt ", fmt(2, 1, 16_000, 4, 1))], { dataBytes: 16 }), AUDIO);

test("ffmpeg is looked for in the absolute folders of the PATH only", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "streamer-path-"));
  const program = join(folder.path, "ffmpeg");
  await writeFile(program, "#!/bin/sh\n", { mode: 0o755 });
  const here = relative(process.cwd(), folder.path);
  expect(Bun.which("ffmpeg", { PATH: here })).not.toBeNull();
  for (const path of [here, `:${here}:./${here}`, "", ".", ":"]) expect(findFfmpeg(path)).toBeNull();
  expect(findFfmpeg(`${here}:${folder.path}`)).toBe(program);
});

test("without ffmpeg, one sentence names the kind of file and says how to convert it", async () => {
  const of = async (bytes: Uint8Array) => {
    const input = { name: "a.x", bytes: pieces(bytes, [9]), size: bytes.length, path: "/a.x" };
    return (await rejection(openAudioSource(input, { findFfmpeg: () => null }))) as Error;
  };
  const remedy =
    "decoding it needs ffmpeg on the PATH: install ffmpeg, or convert the file on another machine: " +
    "ffmpeg -i FILE FILE.wav";
  expect((await of(OGG)).message).toBe(`a.x: is an Ogg file (Opus, Vorbis, Speex or FLAC); ${remedy}`);
  expect((await of(ADPCM)).message).toBe(
    "a.x: not a supported WAV file: format code (bytes 20-21 of the WAV header): found Microsoft ADPCM (0x0002); " +
      `allowed: integer, float, A-law, mu-law; ${remedy}`,
  );
  expect((await of(littleEndian("RIFX", new Uint8Array(50)))).message).toBe(
    `a.x: is a big-endian WAV file (RIFX); ${remedy}`,
  );
});

test("a kind of file that ffmpeg must not be given is refused by name", async () => {
  const bytes = littleEndian("FORM", [4, 0], "AIFF");
  const input = { name: "a.aiff", bytes: pieces(bytes, [64]), size: bytes.length };
  const findFfmpeg = () => "/usr/bin/ffmpeg";
  expect(String(await rejection(openAudioSource(input, { findFfmpeg })))).toContain(
    "a.aiff: is an AIFF file; allowed: WAV, and with ffmpeg on the PATH MP3, FLAC, Ogg, WebM, Matroska, MP4, " +
      "QuickTime; convert it: ffmpeg -i FILE FILE.wav",
  );
});

test("a playlist is not given to ffmpeg, whatever its name", async () => {
  await using fake = await FakeFfmpeg.create("");
  for (const text of ["#EXTM3U\nhttp://127.0.0.1/a.ts\n", "ffconcat version 1.0\nfile /etc/passwd\n"]) {
    const bytes = littleEndian(text);
    const input = { name: "a.mp3", bytes: pieces(bytes, [64]), size: bytes.length, path: "/a.mp3" };
    expect(String(await rejection(openAudioSource(input, { findFfmpeg: () => fake.path })))).toContain(
      "not a supported",
    );
  }
  expect(await fake.arguments()).toBeUndefined();
});

/** Prints a WAV stream as ffmpeg does for a pipe. */
const DECODED = littleEndian(wavStart([chunk("fmt ", fmt(3, 2, 44_100, 32))], { dataBytes: 0xffffffff }), AUDIO);
const PRINT_WAV = `printf '${[...DECODED].map((byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("")}'`;

test.each([
  ["an Ogg file (Opus, Vorbis, Speex or FLAC)", OGG, "ogg"],
  ["a WAV file of another codec", ADPCM, "wav"],
  ["a big-endian WAV file (RIFX)", littleEndian("RIFX", new Uint8Array(50)), "wav"],
])("%s is decoded by ffmpeg, by the name of the file or from a pipe", async (container, bytes, demuxer) => {
  await using fake = await FakeFfmpeg.create(`cat > "$HERE/input"; ${PRINT_WAV}`);
  const findFfmpeg = () => fake.path;
  for (const path of ["/music/a.x", undefined]) {
    for (const cuts of [[1, 5000], [100_000]]) {
      const input = { name: "a.x", bytes: pieces(bytes, cuts), size: undefined, path };
      await using source = await openAudioSource(input, { findFfmpeg });
      expect(source.decoding).toBe(`${container}, decoded by ffmpeg`);
      const format: AudioFormat = { ...FORMAT, channels: 2, sample_rate: 44_100, bit_depth: 32, is_float: true };
      expect(await read(source)).toEqual({ format, seconds: undefined, audio: AUDIO, remarks: [] });
      const url = path === undefined ? "pipe:0" : "file:/music/a.x";
      expect((await fake.arguments())?.join(" ")).toContain(`-f ${demuxer} -i ${url} `);
      const piped = Buffer.from(await Bun.file(join(fake.folder, "input")).bytes());
      expect(piped.equals(path === undefined ? Buffer.from(bytes) : Buffer.alloc(0))).toBe(true);
    }
  }
});

test("ffmpeg that finds no audio, or fails, is an error of the file; what it reports later is a remark", async () => {
  const open = async (script: string, container = OGG, path: string | undefined = "/a.x") => {
    await using fake = await FakeFfmpeg.create(script);
    const input = { name: "a.x", bytes: pieces(container, [64]), size: undefined, path };
    await using source = await openAudioSource(input, { findFfmpeg: () => fake.path });
    return await read(source);
  };
  const message = async (...args: Parameters<typeof open>) => ((await rejection(open(...args))) as Error).message;
  expect(await message("echo '[error] bad page' >&2; exit 1")).toBe("a.x: ffmpeg cannot decode it: bad page");
  expect(await message("echo '[warning] skipped' >&2")).toBe("a.x: ffmpeg found no audio in it: skipped");
  expect(await message(PRINT_WAV.slice(0, -1 - 4 * AUDIO.length) + "'")).toBe("a.x: ffmpeg found no audio in it");
  expect(await message("echo no WAV")).toContain("a.x: ffmpeg returned no WAV stream: it does not begin with RIFF");
  const mp4 = littleEndian([4, 0], "ftyp", new Uint8Array(50));
  expect(await message("exit 1", mp4)).toBe("a.x: ffmpeg cannot decode it: no message, exit code 1");
  const remarks = ["a.x: ffmpeg reports: CRC mismatch!"];
  expect(await open(`${PRINT_WAV}; echo '[error] CRC mismatch!' >&2`)).toMatchObject({ audio: AUDIO, remarks });
});

test("a message of ffmpeg that comes before it fails is the cause of the failure, not a remark", async () => {
  await using fake = await FakeFfmpeg.create(
    `${PRINT_WAV}; echo '[error] broken' >&2; while [ ! -e "$HERE/go" ]; do sleep 0.01; done; exit 1`,
  );
  const input = { name: "a.x", bytes: pieces(OGG, [64]), size: undefined, path: "/a.x" };
  await using source = await openAudioSource(input, { findFfmpeg: () => fake.path });
  await Bun.sleep(50);
  expect(source.takeRemarks()).toEqual([]);
  await Bun.write(join(fake.folder, "go"), "");
  expect(String(await rejection(chunksOf(source, 100)))).toContain("ffmpeg cannot decode it: broken");
});

test("an MP4 file from a pipe that ffmpeg cannot decode is explained", async () => {
  await using fake = await FakeFfmpeg.create("echo '[error] partial file' >&2; exit 1");
  const input = { name: "standard input", bytes: pieces(littleEndian([4, 0], "ftyp"), [64]), size: undefined };
  expect(String(await rejection(openAudioSource(input, { findFfmpeg: () => fake.path })))).toContain(
    "standard input: ffmpeg cannot decode it: partial file (in a pipe, the index of this file must be in front of the " +
      "audio; a file can be given by its name)",
  );
});

test("a WAV file from a pipe whose start is too long for ffmpeg is refused", async () => {
  const big = chunk("JUNK", new Uint8Array(1024 * 1024));
  const bytes = wavStart([big, chunk("fmt ", fmt(2, 1, 16_000, 4, 1))], { dataBytes: 16 });
  const input = { name: "standard input", bytes: pieces(bytes, [65_536]), size: undefined };
  expect(String(await rejection(openAudioSource(input, { findFfmpeg: () => "/usr/bin/ffmpeg" })))).toContain(
    "found Microsoft ADPCM (0x0002); allowed: integer, float, A-law, mu-law; its header is too long for a pipe",
  );
});
