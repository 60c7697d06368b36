import { describe, expect, test } from "bun:test";

import fc from "fast-check";
import { WaveFile } from "wavefile";

import { MAX_CHANNELS, SAMPLE_FORMAT_NAMES, SAMPLE_FORMATS, type SampleFormat } from "../../src/lib/sample-format.ts";
import { PCM_NOT_A_NUMBER, PCM_OUT_OF_RANGE, PcmConverter } from "../../src/native/pcm.ts";
import { encode } from "../support/audio.ts";
import { oracle } from "../support/native/pcm-oracle.ts";
import { alawValue, mulawValue } from "../support/sample-codecs.ts";

/** Feeds `bytes` cut after each of `cuts` bytes (used in turn), each piece from an odd place of a larger array. */
function convert(converter: PcmConverter, bytes: Uint8Array, cuts: readonly number[] = [bytes.length]): Float32Array[] {
  const most = Math.floor(bytes.length / converter.frameBytes) + 1;
  const memory = new Float32Array(new SharedArrayBuffer(converter.channels * most * 4));
  const starts = Uint32Array.from({ length: converter.channels }, (_, channel) => channel * most);
  let frames = 0;
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const length = Math.min(
      Math.max(cuts[turn % cuts.length] ?? 1, turn % cuts.length === 0 ? 1 : 0),
      bytes.length - at,
    );
    const message = new Uint8Array(length + 4);
    message.set(bytes.subarray(at, at + length), 3);
    const offsets = starts.map((start) => start + frames);
    const expected = converter.framesFor(length);
    const written = converter.process(message, 3, length, memory, offsets);
    expect(written).toBe(expected);
    frames += written;
    at += length;
  }
  return [...starts].map((start) => memory.slice(start, start + frames));
}

/** Random bytes in which floats of every kind are likely. */
function randomBytes(format: SampleFormat): fc.Arbitrary<Uint8Array> {
  const raw = fc.uint8Array({ maxLength: 4000 });
  if (!SAMPLE_FORMATS[format].is_float) return raw;
  const floats = fc.array(fc.oneof(fc.double(), fc.double({ min: -2, max: 2 }), fc.constant(1e39)), { maxLength: 600 });
  return fc.oneof(
    raw,
    floats.map((values) => new Uint8Array(encode(format, values))),
  );
}

describe.each(SAMPLE_FORMAT_NAMES)("PCM %s", (format) => {
  test("every sample is the one that its definition gives, in any number of channels and any cut", () => {
    fc.assert(
      fc.property(
        randomBytes(format),
        fc.oneof(fc.integer({ min: 1, max: 5 }), fc.constantFrom(16, MAX_CHANNELS)),
        fc.array(fc.oneof(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 3000 })), { minLength: 1 }),
        (bytes, channels, cuts) => {
          using converter = new PcmConverter(format, channels);
          const expected = oracle(format, channels, bytes);
          expect(convert(converter, bytes, cuts)).toEqual(expected.runs);
          expect(converter.flags).toBe(expected.flags);
          expect(converter.pendingBytes).toBe(bytes.length % converter.frameBytes);
        },
      ),
      { numRuns: 60 },
    );
  });

  test("a message larger than any internal block is decoded to its end", () => {
    const bytes = new Uint8Array(2 ** 20 + 5);
    for (let i = 0; i < bytes.length; i++) bytes[i] = (i * 2654435761) >>> 24;
    using converter = new PcmConverter(format, 3);
    expect(convert(converter, bytes)).toEqual(oracle(format, 3, bytes).runs);
  });

  test("a reset converter is like a new one", () => {
    using converter = new PcmConverter(format, 2);
    const loud = new Uint8Array(converter.frameBytes * 3 + 1).fill(0x7f);
    convert(converter, loud);
    converter.reset();
    expect(converter.pendingBytes).toBe(0);
    expect(converter.flags).toBe(0);
    const bytes = Uint8Array.from({ length: converter.frameBytes * 10 }, (_, i) => (i * 37) % 61);
    expect(convert(converter, bytes)).toEqual(oracle(format, 2, bytes).runs);
  });
});

describe("PCM floats", () => {
  function floats(...values: number[]): { samples: number[]; flags: number } {
    using converter = new PcmConverter("f32", 1);
    const [run = new Float32Array()] = convert(converter, new Uint8Array(new Float32Array(values).buffer));
    return { samples: [...run], flags: converter.flags };
  }

  test("NaN and infinity become silence and are reported", () => {
    expect(floats(0.5, NaN, Infinity, -Infinity)).toEqual({ samples: [0.5, 0, 0, 0], flags: PCM_NOT_A_NUMBER });
  });

  test("samples beyond full scale are reported, and limited at 8 only", () => {
    expect(floats(1.5, -7, 8.5, -1e30)).toEqual({ samples: [1.5, -7, 8, -8], flags: PCM_OUT_OF_RANGE });
  });

  test("full scale itself is not reported", () => {
    expect(floats(1, -1, 0, 1e-45).flags).toBe(0);
  });

  test("a double too large for a float counts as infinite", () => {
    using converter = new PcmConverter("f64", 1);
    const bytes = new Uint8Array(new Float64Array([1e39, 0.25, -1e300, 1 + 1e-12]).buffer);
    expect(convert(converter, bytes)).toEqual([Float32Array.of(0, 0.25, 0, 1)]);
    expect(converter.flags).toBe(PCM_NOT_A_NUMBER);
  });
});

describe("G.711", () => {
  const codes = Uint8Array.from({ length: 256 }, (_, code) => code);

  test("mu-law has its known landmarks", () => {
    expect([0x00, 0x80, 0x7f, 0xff, 0x8f].map(mulawValue)).toEqual([-32124, 32124, -0, 0, 16764]);
  });

  test("A-law has its known landmarks", () => {
    expect([0xd5, 0x55, 0xaa, 0x2a].map(alawValue)).toEqual([8, -8, 32256, -32256]);
  });

  test.each(["mulaw", "alaw"] as const)("%s agrees with another implementation on every code", (format) => {
    const file = new WaveFile();
    file.fromScratch(1, 8000, format === "mulaw" ? "8m" : "8a", [...codes]);
    if (format === "mulaw") file.fromMuLaw();
    else file.fromALaw();
    const expected = Float32Array.from(file.getSamples(false, Int16Array) as unknown as Int16Array, (x) => x / 32768);
    using converter = new PcmConverter(format, 1);
    expect(convert(converter, codes)).toEqual([expected]);
  });
});

describe("PCM converter", () => {
  test("an incomplete frame waits, is counted, and is dropped by flush", () => {
    using converter = new PcmConverter("s24", 2);
    expect(convert(converter, new Uint8Array(11))[0]).toHaveLength(1);
    expect(converter.pendingBytes).toBe(5);
    expect(converter.flush()).toBe(5);
    expect(converter.flush()).toBe(0);
    expect(converter.pendingBytes).toBe(0);
  });

  test("nothing is written outside the runs", () => {
    using converter = new PcmConverter("s16", 2);
    const out = new Float32Array(40).fill(9);
    expect(converter.process(new Uint8Array(4 * 5), 0, 20, out, Uint32Array.of(3, 20))).toBe(5);
    const touched = [...out].flatMap((value, i) => (value === 9 ? [] : [i]));
    expect(touched).toEqual([3, 4, 5, 6, 7, 20, 21, 22, 23, 24]);
  });

  test("offsets and lengths outside the arrays are refused before anything is read", () => {
    using converter = new PcmConverter("s16", 2);
    const out = new Float32Array(8);
    const bytes = new Uint8Array(16);
    const offsets = Uint32Array.of(0, 4);
    expect(() => converter.process(bytes, 1, 16, out, offsets)).toThrow(RangeError);
    expect(() => converter.process(bytes, -1, 4, out, offsets)).toThrow(RangeError);
    expect(() => converter.process(bytes, 0.5, 4, out, offsets)).toThrow(RangeError);
    expect(() => converter.process(bytes, 0, NaN, out, offsets)).toThrow(RangeError);
    expect(() => converter.process(bytes, 0, 16, out, Uint32Array.of(0, 5))).toThrow(RangeError);
    expect(() => converter.process(bytes, 0, 16, out, Uint32Array.of(0))).toThrow(RangeError);
    expect(converter.process(bytes, 0, 16, out, offsets)).toBe(4);
  });

  test("a channel count out of range is refused", () => {
    for (const channels of [0, MAX_CHANNELS + 1, 1.5, NaN])
      expect(() => new PcmConverter("s16", channels)).toThrow(RangeError);
  });

  test("a disposed converter throws, and may be disposed again", () => {
    const converter = new PcmConverter("s16", 1);
    converter[Symbol.dispose]();
    converter[Symbol.dispose]();
    expect(() => converter.pendingBytes).toThrow("disposed");
    expect(() => converter.process(new Uint8Array(2), 0, 2, new Float32Array(1), new Uint32Array(1))).toThrow(
      "disposed",
    );
  });
});
