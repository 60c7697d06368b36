import { expect, test } from "bun:test";

import fc from "fast-check";

import { WavScanner } from "../../src/audio/wav-scanner.ts";
import type { AudioFormat } from "../../src/protocol/format.ts";
import { cut, noise } from "../support/pcm.ts";

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

/** Scans the bytes of these messages until a mismatch ends the stream. */
function scanned(chunks: Iterable<Uint8Array>, format = FORMAT): Found {
  const scanner = new WavScanner(format);
  const audio: Uint8Array[] = [];
  let skippedHeaders = 0;
  let mismatch: string | undefined;
  for (const chunk of chunks) {
    // A message's memory belongs to the message: nothing may be read from it later.
    const bytes = chunk.slice();
    const scan = scanner.scan(bytes);
    audio.push(scan.withheld.slice(), bytes.slice(scan.start, scan.end));
    if (scan.skippedHeader) skippedHeaders += 1;
    mismatch = scan.mismatch;
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
    expect(first?.mismatch).toContain("a WAV header that cannot be read: its audio is coded as MP3");
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
        if (found.mismatch === undefined) {
          expect(found.audio).toBe(hex(bytes.subarray(found.skipped)));
        } else {
          expect(hex(bytes.subarray(found.skipped)).startsWith(found.audio)).toBe(true);
        }
      },
    ),
    { numRuns: 500 },
  );
});
