import { expect, test } from "bun:test";

import fc from "fast-check";

import { Arena } from "../../src/audio/arena.ts";
import { Decoder, type DecoderFormat, NO_ROOM } from "../../src/audio/decoder.ts";
import { Store } from "../../src/audio/store.ts";
import { resampledLength } from "../../src/lib/resampled-length.ts";
import { SAMPLE_FORMAT_NAMES, SAMPLE_FORMATS } from "../../src/lib/sample-format.ts";
import { PCM_NOT_A_NUMBER, PCM_OUT_OF_RANGE } from "../../src/native/pcm.ts";
import { viewOf } from "../../src/native/samples.ts";
import { cut, noise } from "../support/pcm.ts";

const UNLIMITED = Number.MAX_SAFE_INTEGER;

/** A decoder with its stores, and what it has decoded. */
class DecoderHarness implements Disposable {
  readonly arena: Arena;
  readonly stores: Store[];
  readonly decoder: Decoder;
  /** Samples of each channel that `drain` has taken out of the stores. */
  readonly decoded: number[][];

  constructor(format: DecoderFormat, outRate: number, slabs = 256) {
    this.arena = new Arena(slabs);
    this.stores = Array.from({ length: format.channels }, () => new Store(this.arena));
    this.decoded = this.stores.map(() => []);
    this.decoder = new Decoder(format, outRate, this.arena, this.stores);
  }

  /** Reads what the stores hold and releases it. */
  drain(): void {
    for (const [c, store] of this.stores.entries()) {
      for (let at = store.end - store.retained; at < store.end;) {
        const run = store.runLength(at);
        const index = store.indexOf(at);
        this.decoded[c]?.push(...viewOf(this.arena.samples, index, run));
        at += run;
      }
      store.release(store.end);
    }
  }

  /** Decodes a message whole. */
  push(bytes: Uint8Array, room = UNLIMITED): void {
    for (let offset = 0; offset < bytes.length || !this.decoder.settled;) {
      const taken = this.decoder.push(bytes, offset, room);
      if (taken === NO_ROOM) throw new Error("nothing was taken though there is room");
      offset += taken;
      this.drain();
    }
  }

  flush(): void {
    while (this.decoder.flush() !== "done") this.drain();
    this.drain();
  }

  [Symbol.dispose](): void {
    this.decoder[Symbol.dispose]();
    for (const store of this.stores) store[Symbol.dispose]();
    this.arena[Symbol.dispose]();
  }
}

/** All samples of the bytes in one message. */
function whole(format: DecoderFormat, outRate: number, bytes: Uint8Array): number[][] {
  using harness = new DecoderHarness(format, outRate);
  harness.push(bytes);
  harness.flush();
  return harness.decoded;
}

const RATES = [4000, 8000, 11_025, 12_345, 16_000, 22_050, 44_100, 47_999, 48_000, 96_000, 383_987, 384_000];

const streams = fc.record({
  sampleFormat: fc.constantFrom(...SAMPLE_FORMAT_NAMES),
  channels: fc.integer({ min: 1, max: 4 }),
  sampleRate: fc.constantFrom(...RATES),
  outRate: fc.constantFrom(8000, 16_000, 16_000, 48_000),
  frames: fc.nat(6000),
  extra: fc.nat(31),
  seed: fc.nat(),
});

type StreamShape = typeof streams extends fc.Arbitrary<infer Shape> ? Shape : never;

function bytesOf(shape: StreamShape): Uint8Array {
  const frameBytes = shape.channels * SAMPLE_FORMATS[shape.sampleFormat].bytes;
  return noise(shape.sampleFormat, shape.frames * shape.channels, shape.seed, shape.extra % frameBytes);
}

test("any cut gives the same samples, bit for bit, in exactly the length of totalSamples", () => {
  fc.assert(
    fc.property(
      streams,
      fc.array(fc.integer({ min: 1, max: 9000 }), { minLength: 1, maxLength: 12 }),
      (shape, sizes) => {
        const bytes = bytesOf(shape);
        using harness = new DecoderHarness(shape, shape.outRate);
        for (const chunk of cut(bytes, sizes)) harness.push(chunk);
        expect(harness.decoder.frames).toBe(shape.frames);
        expect(harness.decoder.trailingBytes).toBe(
          bytes.length - shape.frames * shape.channels * SAMPLE_FORMATS[shape.sampleFormat].bytes,
        );
        const total = resampledLength(shape.frames, shape.sampleRate, shape.outRate);
        expect(harness.decoder.totalSamples).toBe(total);
        harness.flush();
        for (const decoded of harness.decoded) expect(decoded.length).toBe(total);
        expect(harness.decoded).toEqual(whole(shape, shape.outRate, bytes));
      },
    ),
    { numRuns: 120 },
  );
});

for (const size of [1, 3]) {
  test(`messages of ${size} byte${size > 1 ? "s" : ""} decode like one message, for every format and 1 to 4 channels`, () => {
    for (const [i, sampleFormat] of SAMPLE_FORMAT_NAMES.entries()) {
      for (let channels = 1; channels <= 4; channels++) {
        const format = { sampleFormat, channels, sampleRate: 44_100 };
        const bytes = noise(sampleFormat, 200 * channels, i * 4 + channels, 1);
        for (const outRate of [44_100, 16_000]) {
          using harness = new DecoderHarness(format, outRate);
          for (const chunk of cut(bytes, [size])) harness.push(chunk);
          harness.flush();
          expect(harness.decoded).toEqual(whole(format, outRate, bytes));
        }
      }
    }
  });
}

test("each channel gets its own samples", () => {
  const channels = 3;
  const samples = Float32Array.from({ length: 3000 }, (_, i) => ((i % channels) + 1) / 10 + (i / 3000) * 0.01);
  const decoded = whole({ sampleFormat: "f32", channels, sampleRate: 16_000 }, 16_000, new Uint8Array(samples.buffer));
  for (let c = 0; c < channels; c++) {
    expect(decoded[c]).toEqual([...samples].filter((_, i) => i % channels === c));
  }
});

test("a message larger than any internal block has no silence in place of audio", () => {
  for (const [sampleRate, outRate, channels] of [
    [16_000, 16_000, 1],
    [48_000, 16_000, 2],
    [8000, 16_000, 1],
    [44_100, 16_000, 3],
    [4000, 384_000, 1],
    [384_000, 16_000, 1],
  ] as const) {
    const frames = Math.min(300_000, Math.floor((400_000 * sampleRate) / outRate));
    // A constant 0.5 stays one, apart from the edges where the filter sees the silence around the stream.
    const bytes = new Uint8Array(new Float32Array(frames * channels).fill(0.5).buffer);
    using harness = new DecoderHarness({ sampleFormat: "f32", channels, sampleRate }, outRate);
    harness.push(bytes);
    harness.flush();
    const edge = Math.ceil((outRate * 40) / Math.min(sampleRate, outRate));
    for (const decoded of harness.decoded) {
      expect(decoded.length).toBe(resampledLength(frames, sampleRate, outRate));
      const inner = decoded.slice(edge, -edge);
      expect(inner.length).toBeGreaterThan(1000);
      expect(inner.findIndex((sample) => Math.abs(sample - 0.5) > 0.01)).toBe(-1);
    }
  }
});

test("one frame that yields more than a slab has left goes over the border without a gap", () => {
  for (const outRate of [384_000, 383_999, 48_000]) {
    for (const channels of [1, 3]) {
      const format = { sampleFormat: "f32", channels, sampleRate: 4000 } as const;
      const bytes = noise("f32", 400 * channels, 5, 0);
      using harness = new DecoderHarness(format, outRate);
      for (const chunk of cut(bytes, [4 * channels])) harness.push(chunk);
      harness.flush();
      expect(harness.decoded).toEqual(whole(format, outRate, bytes));
      expect(harness.decoded[0]?.length).toBe(resampledLength(400, 4000, outRate));
    }
  }
});

test("a full arena makes push read nothing, and the samples are the same once slabs are free", () => {
  fc.assert(
    fc.property(streams, fc.integer({ min: 1, max: 3 }), (shape, extraSlabs) => {
      const bytes = bytesOf(shape);
      using harness = new DecoderHarness(shape, shape.outRate, shape.channels + extraSlabs - 1);
      let refused = 0;
      for (let offset = 0; offset < bytes.length || !harness.decoder.settled;) {
        const taken = harness.decoder.push(bytes, offset, UNLIMITED);
        offset += Math.max(0, taken);
        if (taken !== NO_ROOM) continue;
        refused += 1;
        const before = harness.stores.map(({ end }) => end);
        expect(harness.decoder.push(bytes, offset, UNLIMITED)).toBe(NO_ROOM);
        expect(harness.stores.map(({ end }) => end)).toEqual(before);
        harness.drain();
        expect(harness.decoder.push(bytes, offset, 0)).toBe(NO_ROOM);
      }
      expect(refused).toBeLessThan(2000);
      harness.flush();
      expect(harness.decoded).toEqual(whole(shape, shape.outRate, bytes));
    }),
    { numRuns: 80 },
  );
});

test("flush stops at a full arena and goes on when called again", () => {
  const format = { sampleFormat: "s16", channels: 2, sampleRate: 4000 } as const;
  const bytes = noise("s16", 2 * 1041, 3, 0);
  using harness = new DecoderHarness(format, 48_000, 4);
  let offset = 0;
  let stops = 0;
  while (offset < bytes.length || !harness.decoder.settled) {
    const taken = harness.decoder.push(bytes, offset, UNLIMITED);
    offset += Math.max(0, taken);
    if (taken === NO_ROOM) harness.drain();
  }
  // Nothing is free: a second stream has taken the rest.
  while (harness.arena.take() >= 0);
  for (let flushed = harness.decoder.flush(); flushed !== "done"; flushed = harness.decoder.flush()) {
    if (flushed !== "no_room") continue;
    stops += 1;
    expect(stops).toBeLessThan(10);
    harness.drain();
  }
  harness.drain();
  expect(stops).toBeGreaterThan(0);
  expect(harness.decoder.flush()).toBe("done");
  expect(harness.decoded[0]?.length).toBe(resampledLength(1041, 4000, 48_000));
  expect(harness.decoded).toEqual(whole(format, 48_000, bytes));
});

test("push appends no more than fits", () => {
  fc.assert(
    fc.property(streams, fc.integer({ min: 1, max: 700 }), (shape, room) => {
      const bytes = bytesOf(shape);
      using harness = new DecoderHarness(shape, shape.outRate);
      for (let offset = 0; offset < bytes.length || !harness.decoder.settled;) {
        const before = harness.stores[0]?.end ?? 0;
        const taken = harness.decoder.push(bytes, offset, room);
        expect(taken).toBeGreaterThanOrEqual(0);
        offset += taken;
        for (const store of harness.stores) expect(store.end - before).toBeLessThanOrEqual(room);
        harness.drain();
      }
      harness.flush();
      expect(harness.decoded).toEqual(whole(shape, shape.outRate, bytes));
    }),
    { numRuns: 40 },
  );
});

test("an arena with too few slabs for all channels gives a slab to none of them", () => {
  const harness = new DecoderHarness({ sampleFormat: "s16", channels: 4, sampleRate: 16_000 }, 16_000, 3);
  expect(harness.decoder.push(new Uint8Array(80), 0, UNLIMITED)).toBe(NO_ROOM);
  expect(harness.arena.used).toBe(0);
  harness[Symbol.dispose]();
});

test("bytes that were discarded count as received", () => {
  using harness = new DecoderHarness({ sampleFormat: "s16", channels: 2, sampleRate: 48_000 }, 16_000);
  harness.push(new Uint8Array(4 * 480 + 3));
  harness.decoder.discard(4 * 20 + 2);
  expect(harness.decoder.frames).toBe(501);
  expect(harness.decoder.trailingBytes).toBe(1);
  expect(harness.decoder.totalSamples).toBe(167);
});

test("flags report faults of float samples", () => {
  using harness = new DecoderHarness({ sampleFormat: "f32", channels: 1, sampleRate: 16_000 }, 16_000);
  harness.push(new Uint8Array(Float32Array.of(0.5, -1).buffer));
  expect(harness.decoder.flags).toBe(0);
  harness.push(new Uint8Array(Float32Array.of(1.5).buffer));
  expect(harness.decoder.flags).toBe(PCM_OUT_OF_RANGE);
  harness.push(new Uint8Array(Float32Array.of(Number.NaN).buffer));
  expect(harness.decoder.flags).toBe(PCM_OUT_OF_RANGE | PCM_NOT_A_NUMBER);
  expect(harness.decoded[0]).toEqual([0.5, -1, 1.5, 0]);
});
