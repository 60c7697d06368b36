import { expect, test } from "bun:test";

import fc from "fast-check";
import { WaveFile } from "wavefile";

import { type WavHeader, WavHeaderReader, type WavResult } from "../../src/audio/wav-header.ts";
import { chunk, fmt, fmtExtensible, littleEndian, wavStart } from "../support/wav-bytes.ts";

const MAX_BYTES = 1024 * 1024;

/** A file whose data chunk claims `dataSize` bytes; nothing follows the header. */
function header(chunks: Uint8Array[], dataSize: number, riffSize = 0xffffffff): Uint8Array {
  return littleEndian("RIFF", [4, riffSize], "WAVE", ...chunks, "data", [4, dataSize]);
}

function read(bytes: Uint8Array): WavResult {
  return new WavHeaderReader(Infinity).push(bytes);
}

function headerOf(bytes: Uint8Array): WavHeader {
  const result = read(bytes);
  if (result.status !== "header") throw new Error(`no header: ${JSON.stringify(result)}`);
  return result.header;
}

function reasonOf(bytes: Uint8Array): string {
  const result = read(bytes);
  return result.status === "error" ? result.reason : `not refused: ${JSON.stringify(result)}`;
}

const KINDS = [
  { depth: "8", format: { bit_depth: 8, is_float: false, encoding: "pcm" } },
  { depth: "16", format: { bit_depth: 16, is_float: false, encoding: "pcm" } },
  { depth: "24", format: { bit_depth: 24, is_float: false, encoding: "pcm" } },
  { depth: "32", format: { bit_depth: 32, is_float: false, encoding: "pcm" } },
  { depth: "32f", format: { bit_depth: 32, is_float: true, encoding: "pcm" } },
  { depth: "64", format: { bit_depth: 64, is_float: true, encoding: "pcm" } },
  { depth: "8a", format: { bit_depth: 8, is_float: false, encoding: "alaw" } },
  { depth: "8m", format: { bit_depth: 8, is_float: false, encoding: "mulaw" } },
] as const;

/** A file by another writer (wavefile), and where its audio lies. */
function written(depth: string, channels: number, rate: number, frames: number, container = "RIFF") {
  const wav = new WaveFile();
  const samples = Array.from({ length: frames * channels }, (_, i) => i % 100);
  if (depth === "8a" || depth === "8m") {
    wav.fromScratch(channels, rate, "16", samples);
    if (depth === "8a") wav.toALaw();
    else wav.toMuLaw();
  } else {
    wav.fromScratch(channels, rate, depth, samples, { container });
  }
  const bytes = wav.toBuffer();
  const size = frames * channels * (depth === "32f" ? 4 : Number.parseInt(depth, 10) / 8);
  return { bytes, size };
}

for (const { depth, format } of KINDS) {
  test(`reads what another program wrote as ${depth}, with one to eight channels`, () => {
    for (const channels of [1, 2, 3, 8]) {
      const { bytes, size } = written(depth, channels, 44100, 8);
      const found = headerOf(bytes);
      expect(found.format).toEqual({ channels, sample_rate: 44100, ...format });
      expect(found.dataBytes).toBe(size);
      expect(bytes.length - found.headerBytes - size).toBe(0);
    }
  });
}

test("a header is found whatever the cut, and the audio begins on the same byte", () => {
  const kind = fc.constantFrom(...KINDS);
  const cuts = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 60 });
  const junk = fc.array(fc.uint8Array({ maxLength: 30 }), { maxLength: 3 });
  fc.assert(
    fc.property(kind, fc.integer({ min: 1, max: 5 }), junk, cuts, ({ depth }, channels, extra, cuts) => {
      const plain = written(depth, channels, 8000, 5).bytes;
      const bytes = littleEndian(
        plain.subarray(0, 12),
        ...extra.map((body) => chunk("JUNK", body)),
        plain.subarray(12),
      );
      const whole = headerOf(bytes);
      const reader = new WavHeaderReader(Infinity);
      let at = 0;
      for (let i = 0; at < bytes.length; i++) {
        const piece = bytes.subarray(at, at + (cuts[i % cuts.length] ?? 1));
        const result = reader.push(piece);
        if (result.status === "header") {
          expect(result.header).toEqual(whole);
          expect(at + result.offset).toBe(whole.headerBytes);
          return;
        }
        expect(result.status).toBe("more");
        at += piece.length;
      }
      throw new Error("no header was found");
    }),
  );
});

test("a header cut at every byte is 'not yet' until its last byte, then whole", () => {
  const bytes = header([chunk("LIST", littleEndian("odd")), chunk("fmt ", fmtExtensible(1, 2, 48000, 16))], 0xffffffff);
  for (let cut = 0; cut < bytes.length; cut++) {
    const reader = new WavHeaderReader(Infinity);
    expect(reader.push(bytes.subarray(0, cut))).toEqual({ status: "more" });
    const rest = reader.push(bytes.subarray(cut));
    expect(rest).toMatchObject({ status: "header", offset: bytes.length - cut, header: { headerBytes: bytes.length } });
  }
});

/** A LIST chunk of five bytes, and one of four with a byte of padding that does not belong there. */
const UNPADDED = littleEndian("LIST", [4, 5], "abcde");
const OVERPADDED = littleEndian("LIST", [4, 4], "abcd", new Uint8Array(1));

test.each([
  ["an odd chunk without a pad byte before fmt", [UNPADDED, chunk("fmt ", fmt(1, 1, 16_000, 16))]],
  ["an odd chunk without a pad byte before data", [chunk("fmt ", fmt(1, 1, 16_000, 16)), UNPADDED]],
  ["two odd chunks without pad bytes", [UNPADDED, UNPADDED, chunk("fmt ", fmt(1, 1, 16_000, 16))]],
  ["an even chunk with a pad byte", [OVERPADDED, chunk("fmt ", fmt(1, 1, 16_000, 16)), OVERPADDED]],
  ["an odd fmt chunk without a pad byte", [littleEndian("fmt ", [4, 17], fmt(1, 1, 16_000, 16), new Uint8Array(1))]],
  [
    "a chunk of an unknown name without a pad byte",
    [littleEndian("what", [4, 1], "x"), UNPADDED, chunk("fmt ", fmt(1, 1, 16_000, 16))],
  ],
])("the next name is found one byte back or forth behind %s, whatever the cut", (_, chunks) => {
  const bytes = wavStart(chunks, { dataBytes: 100 });
  for (let cut = 0; cut <= bytes.length; cut++) {
    const reader = new WavHeaderReader(Infinity);
    const first = reader.push(bytes.subarray(0, cut));
    if (cut < bytes.length) expect(first).toEqual({ status: "more" });
    const result = cut < bytes.length ? reader.push(bytes.subarray(cut)) : first;
    expect(result).toMatchObject({ status: "header", header: { dataBytes: 100, headerBytes: bytes.length } });
  }
});

test("the bits that are not padding are read, from an extensible header too", () => {
  for (const [body, bits] of [
    [fmt(1, 1, 16_000, 24, 4), 24],
    [fmt(1, 1, 16_000, 32), 32],
    [fmtExtensible(1, 1, 16_000, 32, { valid: 24 }), 24],
    [fmtExtensible(1, 1, 16_000, 32, { valid: 0 }), 32],
  ] as const) {
    expect(headerOf(wavStart([chunk("fmt ", body)], { dataBytes: 4 })).significantBits).toBe(bits);
  }
});

test("of two fmt chunks the first counts", () => {
  const chunks = [chunk("fmt ", fmt(1, 1, 16_000, 16)), chunk("fmt ", fmt(0x55, 2, 44_100, 8))];
  expect(headerOf(wavStart(chunks, { dataBytes: 2 })).format).toMatchObject({ channels: 1, sample_rate: 16_000 });
});

test.each(["LIST", "JUNK", "bext", "PAD "])(
  "a chunk '%s' of 2 MiB before the audio is skipped, in any pieces",
  (name) => {
    const body = new Uint8Array(2 * 1024 * 1024);
    const bytes = wavStart([chunk(name, body), chunk("fmt ", fmt(1, 1, 16_000, 16)), chunk(name, body)], {
      dataBytes: 4,
    });
    for (const size of [bytes.length, 65_536, 999]) {
      const reader = new WavHeaderReader(Infinity);
      let result: WavResult = { status: "more" };
      for (let at = 0; at < bytes.length; at += size) result = reader.push(bytes.subarray(at, at + size));
      expect(result).toMatchObject({ status: "header", header: { headerBytes: bytes.length, dataBytes: 4 } });
    }
  },
);

test("chunks before the audio are passed over in any order, odd ones with their padding", () => {
  const bytes = header(
    [
      chunk("JUNK", new Uint8Array(27)),
      chunk("fact", littleEndian([4, 9])),
      chunk("fmt ", fmt(1, 1, 16000, 16)),
      chunk("LIST", littleEndian("x")),
    ],
    100,
  );
  expect(headerOf(bytes)).toMatchObject({ dataBytes: 100, headerBytes: bytes.length });
});

test("sizes that a writer to a pipe leaves behind mean 'unknown'", () => {
  const body = [chunk("fmt ", fmt(1, 1, 16000, 16))];
  for (const size of [0xffffffff, 0xffffffff - 36, 0x7ffff000, 0x7fffffff, 0x7fffffff - 36, 0x80000000]) {
    expect(headerOf(header(body, size))).toMatchObject({ dataBytes: undefined, fileBytes: undefined });
    expect(headerOf(header(body, 2, size)).fileBytes).toBeUndefined();
  }
  expect(headerOf(header(body, 2, 0)).fileBytes).toBeUndefined();
  expect(headerOf(header(body, 0, 60))).toMatchObject({ dataBytes: 0, fileBytes: 68 });
});

test("RF64 takes the size of the audio from its ds64 chunk", () => {
  const { bytes, size } = written("16", 2, 48000, 10, "RF64");
  expect(headerOf(bytes).dataBytes).toBe(size);
  const big = 5 * 2 ** 32 + 2;
  const ds64 = chunk("ds64", littleEndian([8, big + 72], [8, big], [8, big / 2], [4, 0]));
  const wide = littleEndian(
    "RF64",
    [4, 0xffffffff],
    "WAVE",
    ds64,
    chunk("fmt ", fmt(1, 1, 16000, 16)),
    "data",
    [4, 0xffffffff],
  );
  expect(headerOf(wide).dataBytes).toBe(big);
  const unsized = littleEndian("BW64", wide.subarray(4, 28), new Uint8Array(8), wide.subarray(36));
  expect(headerOf(unsized).dataBytes).toBeUndefined();
});

test("what is not WAV is refused at the first byte that differs, with a reason", () => {
  expect(reasonOf(littleEndian("RIFX"))).toContain("big-endian");
  expect(reasonOf(littleEndian("RIG"))).toContain("RIFF");
  expect(reasonOf(littleEndian("RIFF", [4, 100], "AVI "))).toContain("not of WAVE audio");
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 4, maxLength: 64 }), (bytes) => {
      fc.pre(!["RIFF", "RF64", "BW64"].includes(String.fromCharCode(...bytes.subarray(0, 4))));
      expect(read(bytes).status).toBe("error");
    }),
  );
});

test("a format that cannot be read, is too short, or comes too late is refused with its place", () => {
  expect(reasonOf(header([chunk("fmt ", fmt(0x55, 2, 44_100, 16))], 8))).toContain("MP3 (0x0055)");
  expect(reasonOf(header([chunk("fact", new Uint8Array(4)), chunk("fmt ", fmt(1, 0, 44_100, 16))], 8))).toContain(
    "channels (bytes 34-35 of the WAV header): found 0",
  );
  expect(reasonOf(header([chunk("fmt ", littleEndian([2, 1]))], 8))).toBe(
    "chunk 'fmt ' at byte 12 of the WAV header: found 2 bytes; allowed: 16 or more",
  );
  expect(reasonOf(header([], 8))).toBe("chunk 'data' at byte 12 of the WAV header: found no chunk 'fmt ' before it");
});

test("a header that never ends is refused at its limit, if there is one", () => {
  const huge = littleEndian("RIFF", [4, 0], "WAVE", "JUNK", [4, MAX_BYTES]);
  expect(new WavHeaderReader(MAX_BYTES).push(huge)).toMatchObject({
    reason: `chunk 'JUNK' at byte 12 of the WAV header: found ${MAX_BYTES} bytes; allowed: ${MAX_BYTES} before the audio`,
  });
  const junk = chunk("JUNK", new Uint8Array(65536));
  const reader = new WavHeaderReader(MAX_BYTES);
  reader.push(littleEndian("RIFF", [4, 0], "WAVE"));
  let pushed = 0;
  while (reader.push(junk).status === "more" && pushed < 2 * MAX_BYTES) pushed += junk.length;
  expect(pushed).toBeLessThanOrEqual(MAX_BYTES);
});

test("a header that ends early is described by its last chunk", () => {
  const reader = new WavHeaderReader(Infinity);
  expect(reader.lastChunk).toContain("before its first chunk");
  reader.push(littleEndian("RIFF", [4, 100], "WAVE", "LIST", [4, 90], "abc"));
  expect(reader.lastChunk).toContain("'LIST' at byte 12, of 90 bytes");
});

test("no bytes of any kind make the reader throw, and its answer stays", () => {
  const prefix = header([chunk("fmt ", fmt(1, 1, 16000, 16))], 8).subarray(0, 36);
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 36 }), fc.uint8Array({ maxLength: 200 }), (kept, noise) => {
      const reader = new WavHeaderReader(Infinity);
      const first = reader.push(littleEndian(prefix.subarray(0, kept), noise));
      const again = reader.push(new Uint8Array(0));
      expect(again).toEqual(first.status === "header" ? { ...first, offset: 0 } : first);
    }),
  );
});
