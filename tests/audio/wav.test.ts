import { expect, test } from "bun:test";

import fc from "fast-check";
import { WaveFile } from "wavefile";

import { MAX_HEADER_BYTES, type WavHeader, WavHeaderReader, type WavResult } from "../../src/audio/wav.ts";

const PCM_GUID_TAIL = Uint8Array.fromHex("000000001000800000aa00389b71");

function le(...parts: (string | Uint8Array | [bytes: 2 | 4 | 8, value: number])[]): Uint8Array {
  const out: number[] = [];
  for (const part of parts) {
    if (typeof part === "string") for (const letter of part) out.push(letter.charCodeAt(0));
    else if (part instanceof Uint8Array) out.push(...part);
    else for (let i = 0; i < part[0]; i++) out.push(Math.floor(part[1] / 256 ** i) % 256);
  }
  return Uint8Array.from(out);
}

function chunk(name: string, body: Uint8Array): Uint8Array {
  return le(name, [4, body.length], body, new Uint8Array(body.length % 2));
}

function fmt(code: number, channels: number, rate: number, bits: number, container = Math.ceil(bits / 8)): Uint8Array {
  const frame = channels * container;
  return le([2, code], [2, channels], [4, rate], [4, rate * frame], [2, frame], [2, bits]);
}

function extensible(code: number, channels: number, rate: number, bits: number, valid = bits): Uint8Array {
  return le(fmt(0xfffe, channels, rate, bits), [2, 22], [2, valid], [4, 3], [2, code], PCM_GUID_TAIL);
}

/** A file whose data chunk claims `dataSize` bytes; nothing follows the header. */
function header(chunks: Uint8Array[], dataSize: number, riffSize = 0xffffffff): Uint8Array {
  return le("RIFF", [4, riffSize], "WAVE", ...chunks, "data", [4, dataSize]);
}

function read(bytes: Uint8Array): WavResult {
  return new WavHeaderReader().push(bytes);
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
      const bytes = le(plain.subarray(0, 12), ...extra.map((body) => chunk("JUNK", body)), plain.subarray(12));
      const whole = headerOf(bytes);
      const reader = new WavHeaderReader();
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
  const bytes = header([chunk("LIST", le("odd")), chunk("fmt ", extensible(1, 2, 48000, 16))], 0xffffffff);
  for (let cut = 0; cut < bytes.length; cut++) {
    const reader = new WavHeaderReader();
    expect(reader.push(bytes.subarray(0, cut))).toEqual({ status: "more" });
    const rest = reader.push(bytes.subarray(cut));
    expect(rest).toMatchObject({ status: "header", offset: bytes.length - cut, header: { headerBytes: bytes.length } });
  }
});

test("chunks before the audio are passed over in any order, odd ones with their padding", () => {
  const bytes = header(
    [
      chunk("JUNK", new Uint8Array(27)),
      chunk("fact", le([4, 9])),
      chunk("fmt ", fmt(1, 1, 16000, 16)),
      chunk("LIST", le("x")),
    ],
    100,
  );
  expect(headerOf(bytes)).toMatchObject({ dataBytes: 100, headerBytes: bytes.length });
});

test("the extensible form is read by its sub-format and the size of its container", () => {
  const of = (body: Uint8Array) => headerOf(header([chunk("fmt ", body)], 8)).format;
  expect(of(extensible(1, 6, 96000, 24))).toMatchObject({ channels: 6, bit_depth: 24, is_float: false });
  expect(of(extensible(1, 2, 48000, 32, 24))).toMatchObject({ bit_depth: 32, is_float: false });
  expect(of(extensible(3, 2, 48000, 32))).toMatchObject({ bit_depth: 32, is_float: true });
  expect(of(extensible(6, 1, 8000, 8))).toMatchObject({ encoding: "alaw" });
  expect(of(extensible(7, 1, 8000, 8))).toMatchObject({ encoding: "mulaw" });
});

test("sizes that a writer to a pipe leaves behind mean 'unknown'", () => {
  const body = [chunk("fmt ", fmt(1, 1, 16000, 16))];
  for (const size of [0xffffffff, 0x7ffff000, 0x7fffffff, 0x80000000]) {
    expect(headerOf(header(body, size)).dataBytes).toBeUndefined();
  }
  expect(headerOf(header(body, 0, 36)).dataBytes).toBeUndefined();
  expect(headerOf(header(body, 0, 0)).dataBytes).toBeUndefined();
});

test("a data chunk of 0 bytes with more chunks behind it is an empty recording, not an unknown one", () => {
  expect(headerOf(header([chunk("fmt ", fmt(1, 1, 16000, 16))], 0, 60)).dataBytes).toBe(0);
});

test("RF64 takes the size of the audio from its ds64 chunk", () => {
  const { bytes, size } = written("16", 2, 48000, 10, "RF64");
  expect(headerOf(bytes).dataBytes).toBe(size);
  const big = 5 * 2 ** 32 + 2;
  const ds64 = chunk("ds64", le([8, big + 72], [8, big], [8, big / 2], [4, 0]));
  const wide = le("RF64", [4, 0xffffffff], "WAVE", ds64, chunk("fmt ", fmt(1, 1, 16000, 16)), "data", [4, 0xffffffff]);
  expect(headerOf(wide).dataBytes).toBe(big);
  const unsized = le("BW64", wide.subarray(4, 28), new Uint8Array(8), wide.subarray(36));
  expect(headerOf(unsized).dataBytes).toBeUndefined();
});

test("what is not WAV is refused at the first byte that differs, with a reason", () => {
  expect(reasonOf(le("RIFX"))).toContain("big-endian");
  expect(reasonOf(le("RIG"))).toContain("RIFF");
  expect(reasonOf(le("RIFF", [4, 100], "AVI "))).toContain("not of WAVE audio");
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 4, maxLength: 64 }), (bytes) => {
      fc.pre(!["RIFF", "RF64", "BW64"].includes(String.fromCharCode(...bytes.subarray(0, 4))));
      expect(read(bytes).status).toBe("error");
    }),
  );
});

test("a codec or a sample size that cannot be read is named", () => {
  const of = (body: Uint8Array) => reasonOf(header([chunk("fmt ", body)], 8));
  expect(of(fmt(0x55, 2, 44100, 16))).toContain("MP3 (0x0055)");
  expect(of(fmt(0x99, 2, 44100, 16))).toContain("an unknown codec (0x0099)");
  expect(of(fmt(1, 1, 16000, 48))).toContain("integer samples have 48 bits in 6 bytes");
  expect(of(fmt(3, 1, 16000, 16))).toContain("float samples have 16 bits");
  expect(of(fmt(6, 1, 16000, 16))).toContain("alaw samples have 16 bits");
  expect(of(fmt(1, 1, 16000, 24, 4))).toContain("24 bits in 4 bytes");
  expect(of(fmt(1, 0, 16000, 16))).toContain("0 channels");
  expect(of(fmt(1, 1, 0, 16))).toContain("0 samples a second");
  expect(of(fmt(0xfffe, 1, 16000, 16))).toContain("too short for a sub-format");
  expect(of(le(extensible(1, 1, 16000, 16).subarray(0, 39), [2, 9]))).toContain("sub-format is not known");
  expect(of(le([2, 1]))).toContain("fmt chunk has 2 bytes");
});

test("samples of 12 and 20 bits lie at the top of their bytes and are read as 16 and 24", () => {
  const of = (bits: number) => headerOf(header([chunk("fmt ", fmt(1, 1, 16000, bits))], 8)).format.bit_depth;
  expect(of(12)).toBe(16);
  expect(of(20)).toBe(24);
});

test("audio before its format is refused", () => {
  expect(reasonOf(header([], 8))).toContain("before its fmt chunk");
});

test("a header that never ends is refused at its limit", () => {
  const huge = le("RIFF", [4, 0], "WAVE", "JUNK", [4, MAX_HEADER_BYTES]);
  expect(reasonOf(huge)).toContain(`${MAX_HEADER_BYTES} bytes before the audio`);
  const junk = chunk("JUNK", new Uint8Array(65536));
  const reader = new WavHeaderReader();
  reader.push(le("RIFF", [4, 0], "WAVE"));
  let pushed = 0;
  while (reader.push(junk).status === "more" && pushed < 2 * MAX_HEADER_BYTES) pushed += junk.length;
  expect(pushed).toBeLessThanOrEqual(MAX_HEADER_BYTES);
});

test("no bytes of any kind make the reader throw, and its answer stays", () => {
  const prefix = header([chunk("fmt ", fmt(1, 1, 16000, 16))], 8).subarray(0, 36);
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 36 }), fc.uint8Array({ maxLength: 200 }), (kept, noise) => {
      const reader = new WavHeaderReader();
      const first = reader.push(le(prefix.subarray(0, kept), noise));
      const again = reader.push(new Uint8Array(0));
      expect(again).toEqual(first.status === "header" ? { ...first, offset: 0 } : first);
    }),
  );
});
