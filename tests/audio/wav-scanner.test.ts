import { expect, test } from "bun:test";

import fc from "fast-check";

import { MAX_HEADER_BYTES, WavScanner } from "../../src/audio/wav-scanner.ts";
import type { AudioFormat } from "../../src/protocol/format.ts";
import { cut, noise } from "../support/pcm.ts";
import { chunk, fmt, littleEndian, wavStart, withBlockAlign } from "../support/wav-bytes.ts";

const FORMAT: AudioFormat = { channels: 2, sample_rate: 44_100, bit_depth: 16, is_float: false, encoding: "pcm" };

function join(...parts: (string | Uint8Array | readonly number[])[]): Uint8Array {
  return Buffer.concat(
    parts.map((part) => (typeof part === "string" ? Buffer.from(part, "latin1") : Buffer.from(part))),
  );
}

function u32(value: number): number[] {
  return [value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >> 24) & 255];
}

/** A WAV header of 16-bit PCM, with an odd-sized chunk before the format to make it long. */
function header({ channels = 2, rate = 44_100, magic = "RIFF", code = 1, list = 5 } = {}): Uint8Array {
  const fmt = [code, 0, channels, 0, ...u32(rate), ...u32(rate * channels * 2), channels * 2, 0, 16, 0];
  const padded = new Uint8Array(list + (list % 2));
  return join(magic, u32(-1), "WAVE", "LIST", u32(list), padded, "fmt ", u32(16), fmt, "data", u32(-1));
}

interface Found {
  readonly audio: string;
  readonly skipped: number;
  readonly skippedHeaders: number;
  readonly mismatch: string | undefined;
}

/** Scans the bytes of these messages until a mismatch ends the stream. @param passes tries `pass` first */
function scanned(chunks: Iterable<Uint8Array>, format = FORMAT, passes = false): Found {
  const scanner = new WavScanner(format);
  const audio: Uint8Array[] = [];
  let skippedHeaders = 0;
  let mismatch: string | undefined;
  for (const chunk of chunks) {
    // A message's memory belongs to the message: nothing may be read from it later.
    const bytes = chunk.slice();
    if (passes && scanner.pass(bytes)) {
      audio.push(bytes.slice());
      continue;
    }
    for (let at = 0; at < bytes.length && mismatch === undefined;) {
      const rest = bytes.subarray(at);
      const scan = scanner.scan(rest);
      audio.push(scan.withheld.slice(), rest.slice(scan.start, scan.end));
      if (scan.skippedHeader) skippedHeaders += 1;
      mismatch = scan.mismatch;
      at += scan.next;
    }
    if (mismatch !== undefined) break;
  }
  audio.push(scanner.end());
  return { audio: Buffer.concat(audio).toString("hex"), skipped: scanner.skippedBytes, skippedHeaders, mismatch };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** Every way to cut into two messages, and some into many. */
function* cuts(bytes: Uint8Array): Generator<Uint8Array[]> {
  for (let at = 0; at <= bytes.length; at++) yield [bytes.subarray(0, at), bytes.subarray(at)];
  for (const size of [1, 2, 3, 7, 11, 12, 13]) yield [...cut(bytes, [size])];
}

const SAMPLES = noise("s16", 40, 1, 0);

test("a header of the stream's own format is skipped, cut at any byte", () => {
  for (const magic of ["RIFF", "RF64", "BW64"]) {
    const head = header({ magic });
    for (const chunks of cuts(join(head, SAMPLES))) {
      expect(scanned(chunks)).toEqual({
        audio: hex(SAMPLES),
        skipped: head.length,
        skippedHeaders: 1,
        mismatch: undefined,
      });
    }
  }
});

test("a header of another format is a mismatch that names the field, cut at any byte", () => {
  for (const [head, mismatch] of [
    [header({ rate: 48_000 }), "the WAV header has sample_rate 48000, but the start had 44100"],
    [header({ channels: 1 }), "the WAV header has channels 1, but the start had 2"],
  ] as const) {
    for (const chunks of cuts(join(head, SAMPLES))) {
      expect(scanned(chunks)).toEqual({ audio: "", skipped: head.length, skippedHeaders: 0, mismatch });
    }
  }
});

test("a header that cannot be read is a mismatch and not taken for audio, cut at any byte", () => {
  for (const magic of ["RIFF", "RF64"]) {
    const bytes = join(header({ magic, code: 0x55 }), SAMPLES);
    const [first, ...others] = [...cuts(bytes)].map((chunks) => scanned(chunks));
    expect(first?.mismatch).toContain(
      "a WAV header that cannot be read: format code (bytes 34-35 of the WAV header): found MP3",
    );
    expect(first?.audio).toBe("");
    for (const other of others) expect(other).toEqual(first as Found);
  }
});

test("a header inside the audio is a mismatch right behind its mark, cut at any byte", () => {
  const before = SAMPLES.subarray(0, 50);
  const bytes = join(before, header(), SAMPLES);
  const audio = hex(bytes.subarray(0, before.length + 12));
  for (const chunks of cuts(bytes)) {
    const found = scanned(chunks);
    expect(found).toEqual({ audio, skipped: 0, skippedHeaders: 0, mismatch: found.mismatch });
    expect(found.mismatch).toContain("inside the audio");
  }
});

test("a second header behind the first is one inside the audio, cut at any byte", () => {
  const head = header();
  const bytes = join(head, head, SAMPLES);
  for (const chunks of cuts(bytes)) {
    const found = scanned(chunks);
    expect(found.audio).toBe(hex(head.subarray(0, 12)));
    expect(found.skipped).toBe(head.length);
    expect(found.mismatch).toContain("inside the audio");
  }
});

test("samples that begin like a header are audio, cut at any byte", () => {
  for (const start of [
    "R",
    "RI",
    "RIF",
    "RIFF",
    "RIFFxxxxWAV!",
    "RIFFxxxxAVI ",
    "RIFX----WAVE",
    "RF64xxxxWAVX",
    "RRIFF",
  ]) {
    const bytes = join(start, SAMPLES);
    for (const chunks of cuts(bytes)) {
      expect(scanned(chunks)).toEqual({ audio: hex(bytes), skipped: 0, skippedHeaders: 0, mismatch: undefined });
    }
  }
});

test("a mark that begins in bytes that were kept back is found, cut at any byte", () => {
  // The first RIFF is not followed by WAVE; the second begins within its size.
  const bytes = join("RIFFRIFFxxxxWAVE", SAMPLES);
  for (const chunks of cuts(bytes)) {
    const found = scanned(chunks);
    expect(found.mismatch).toContain("inside the audio");
    expect(found.audio).toBe(hex(bytes.subarray(0, 16)));
  }
});

test("a stream that ends before a mark is complete is audio", () => {
  const head = header();
  for (let length = 0; length < 12; length++) {
    for (const chunks of cuts(head.subarray(0, length))) {
      expect(scanned(chunks)).toEqual({
        audio: hex(head.subarray(0, length)),
        skipped: 0,
        skippedHeaders: 0,
        mismatch: undefined,
      });
    }
  }
});

test("a stream that ends inside its header has skipped what there was of it", () => {
  const head = header();
  for (let length = 12; length < head.length; length++) {
    for (const chunks of cuts(head.subarray(0, length))) {
      expect(scanned(chunks)).toEqual({ audio: "", skipped: length, skippedHeaders: 0, mismatch: undefined });
    }
  }
});

const FMT = chunk("fmt ", fmt(1, 2, 44_100, 16));
const UNPADDED = littleEndian("LIST", [4, 5], "abcde");

test.each([
  ["block align 1", wavStart([chunk("fmt ", withBlockAlign(fmt(1, 2, 44_100, 16), 1))], { dataBytes: 0 })],
  ["block align 0", wavStart([chunk("fmt ", withBlockAlign(fmt(1, 2, 44_100, 16), 0))], { dataBytes: 0 })],
  ["an odd chunk without a pad byte", wavStart([FMT, UNPADDED], { dataBytes: 160 })],
  ["an odd chunk without a pad byte before fmt", wavStart([UNPADDED, FMT], { dataBytes: 160 })],
  ["a data size of 0 and a right RIFF size", wavStart([FMT], { dataBytes: 0, riffSize: 36 + 160 })],
  ["a data size of 0 and a RIFF size of 0", wavStart([FMT], { dataBytes: 0, riffSize: 0 })],
  ["the sizes of a pipe", wavStart([FMT], { dataBytes: 0xffffffff, riffSize: 0xffffffff })],
  ["sizes that are too small", wavStart([FMT], { dataBytes: 40, riffSize: 76 })],
  ["a data size that is too small", wavStart([FMT], { dataBytes: 40, riffSize: 36 + 160 })],
  ["sizes that are too large", wavStart([FMT], { dataBytes: 4000 })],
  ["two fmt chunks", wavStart([FMT, chunk("fmt ", fmt(1, 1, 8000, 8))], { dataBytes: 160 })],
])("a header with %s is skipped, and all samples behind it are audio, cut at any byte", (_, head) => {
  for (const chunks of cuts(join(head, SAMPLES))) {
    expect(scanned(chunks)).toEqual({
      audio: hex(SAMPLES),
      skipped: head.length,
      skippedHeaders: 1,
      mismatch: undefined,
    });
  }
});

test("24 bits in 4 bytes are the header of a stream of 32 bits, and A-law of 16 bits that of A-law", () => {
  for (const [format, body] of [
    [{ ...FORMAT, bit_depth: 32 }, fmt(1, 2, 44_100, 24, 4)],
    [{ ...FORMAT, bit_depth: 8, encoding: "alaw" }, withBlockAlign(fmt(6, 2, 44_100, 16), 1)],
    [{ ...FORMAT, bit_depth: 8, encoding: "mulaw" }, withBlockAlign(fmt(7, 2, 44_100, 0), 1)],
  ] as const) {
    const head = wavStart([chunk("fmt ", body)], { dataBytes: 160 });
    for (const chunks of cuts(join(head, SAMPLES))) {
      expect(scanned(chunks, format)).toMatchObject({ audio: hex(SAMPLES), skipped: head.length, mismatch: undefined });
    }
  }
});

/** A file of the samples with these bytes behind them, which its RIFF size includes. */
function fileWith(tail: Uint8Array, samples = SAMPLES): Uint8Array {
  return join(
    wavStart([FMT], { dataBytes: samples.length, riffSize: 36 + samples.length + tail.length }),
    samples,
    tail,
  );
}

test.each([
  ["LIST", chunk("LIST", littleEndian("INFOISFT", [4, 4], "Lavf"))],
  ["id3", chunk("id3 ", new Uint8Array(3000))],
  ["two chunks", join(chunk("LIST", littleEndian("INFO")), chunk("_PMX", new Uint8Array(7)))],
  ["an odd chunk without a pad byte", littleEndian("bext", [4, 3], "abc")],
])("chunks behind the audio of a skipped header are no audio, cut at any byte: %s", (_, tail) => {
  const file = fileWith(tail);
  for (const chunks of cuts(file)) {
    expect(scanned(chunks)).toEqual({
      audio: hex(SAMPLES),
      skipped: 44 + tail.length,
      skippedHeaders: 1,
      mismatch: undefined,
    });
  }
});

test("audio behind the end of a file is audio again, and a second file is a mismatch, cut at any byte", () => {
  const file = fileWith(chunk("LIST", littleEndian("INFO")));
  for (const chunks of cuts(join(file, SAMPLES))) {
    expect(scanned(chunks)).toMatchObject({ audio: hex(join(SAMPLES, SAMPLES)), skipped: 56, mismatch: undefined });
  }
  for (const chunks of cuts(join(file, file))) {
    const found = scanned(chunks);
    expect(found.audio).toBe(hex(join(SAMPLES, file.subarray(0, 12))));
    expect(found.mismatch).toContain("inside the audio");
  }
});

test("a second file directly behind the audio of the first is a mismatch, cut at any byte", () => {
  // Sizes that announce chunks behind the audio, where there is a second file.
  const first = join(wavStart([FMT], { dataBytes: SAMPLES.length, riffSize: 36 + SAMPLES.length + 500 }), SAMPLES);
  for (const chunks of cuts(join(first, first))) {
    const found = scanned(chunks);
    expect(found.audio).toBe(hex(join(SAMPLES, first.subarray(0, 12))));
    expect(found.mismatch).toContain("inside the audio");
  }
  // The mark begins with the last bytes of the declared audio.
  const cutShort = join(wavStart([FMT], { dataBytes: 4, riffSize: 36 + 500 }), first, new Uint8Array(400));
  for (const chunks of cuts(cutShort)) {
    const found = scanned(chunks);
    expect(found.audio).toBe(hex(first.subarray(0, 12)));
    expect(found.mismatch).toContain("inside the audio");
  }
});

test("a stream that ends within the head of a chunk behind the audio has that as audio", () => {
  const file = fileWith(chunk("LIST", littleEndian("INFO")));
  const ended = file.subarray(0, 44 + SAMPLES.length + 6);
  for (const chunks of cuts(ended)) {
    expect(scanned(chunks)).toMatchObject({ audio: hex(ended.subarray(44)), skipped: 44 });
  }
});

test("a header of more than MAX_HEADER_BYTES is a mismatch that names the chunk", () => {
  const head = join("RIFF", u32(-1), "WAVE", "JUNK", u32(2 * MAX_HEADER_BYTES), SAMPLES);
  for (const chunks of cuts(head)) {
    expect(scanned(chunks)).toMatchObject({ audio: "", skipped: 0 });
    expect(scanned(chunks).mismatch).toContain(
      `chunk 'JUNK' at byte 12 of the WAV header: found ${2 * MAX_HEADER_BYTES} bytes; allowed: ${MAX_HEADER_BYTES}`,
    );
  }
});

test("bytes that were kept back are given once", () => {
  const scanner = new WavScanner(FORMAT);
  expect(scanner.scan(join("RIF")).end).toBe(0);
  expect(hex(scanner.end())).toBe(hex(join("RIF")));
  expect(scanner.end()).toHaveLength(0);
});

const part = fc.oneof(
  fc.constantFrom("RIFF", "WAVE", "R", "RIFFxxxxWAVE", "RF64xxxxWAVE", "xxxx").map((text) => join(text)),
  fc.uint8Array({ maxLength: 20 }),
  fc.constant(header()),
  fc.constant(header({ rate: 8000 })),
  fc
    .tuple(fc.uint8Array({ maxLength: 30 }), fc.nat(40))
    .map(([body, dataBytes]) => join(wavStart([FMT], { dataBytes, riffSize: 100 }), body, chunk("LIST", body), body)),
);

test("any mix of marks and samples gives the same result however it is cut, and every byte is accounted for", () => {
  fc.assert(
    fc.property(
      fc.array(part, { maxLength: 6 }),
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 }),
      (parts, sizes) => {
        const bytes = join(...parts);
        const found = scanned(cut(bytes, sizes));
        expect(found).toEqual(scanned([bytes]));
        // Chunks behind the audio may be skipped, too: what was not skipped has its length.
        const kept = found.audio.length / 2 + found.skipped;
        if (found.mismatch === undefined) expect(kept).toBe(bytes.length);
        else expect(kept).toBeLessThanOrEqual(bytes.length);
      },
    ),
    { numRuns: 500 },
  );
});

test("a message that passes is one in which a scan finds nothing but audio", () => {
  const pieces = fc.array(
    fc.constantFrom("R", "RIFF", "RIFF....WAVE", "IFF....", "WAVE", "FFRRIF", "..", "a longer piece"),
    {
      maxLength: 12,
    },
  );
  fc.assert(
    fc.property(
      fc.boolean(),
      pieces,
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
      (begins, texts, sizes) => {
        const bytes = join(begins ? header() : "audio of no kind", ...texts);
        expect(scanned(cut(bytes, sizes), FORMAT, true)).toEqual(scanned(cut(bytes, sizes)));
      },
    ),
    { numRuns: 500 },
  );
});
