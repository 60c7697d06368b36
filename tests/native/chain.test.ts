import { expect, test } from "bun:test";

import fc from "fast-check";

import { SAMPLE_FORMAT_NAMES, SAMPLE_FORMATS } from "../../src/lib/sample-format.ts";
import { SLAB_SAMPLES } from "../../src/native/arena.ts";
import { DecodeChain } from "../../src/native/chain.ts";
import { INSPECT_CLIPPING, Inspector } from "../../src/native/inspector.ts";
import { PcmConverter } from "../../src/native/pcm.ts";
import { Resampler } from "../../src/native/resampler.ts";
import { EnergyVad } from "../../src/native/vad.ts";
import { encode, speech } from "../support/audio.ts";
import { cut, noise } from "../support/pcm.ts";

/** Everything that a stream's bytes come to. */
interface Decoded {
  readonly samples: number[][];
  readonly decisions: [speech: number, levelDb: number][][];
  observed: number;
  flags: number;
  clipped: number;
}

const shapes = fc.record({
  format: fc.constantFrom(...SAMPLE_FORMAT_NAMES),
  channels: fc.integer({ min: 1, max: 3 }),
  inRate: fc.constantFrom(4000, 8000, 16_000, 44_100, 48_000),
  outRate: fc.constantFrom(8000, 16_000, 48_000),
  frames: fc.nat(9000),
  seed: fc.nat(),
});
type Shape = typeof shapes extends fc.Arbitrary<infer One> ? One : never;

function bytesOf({ format, channels, frames, seed }: Shape): Uint8Array {
  return noise(format, frames * channels, seed, seed % (channels * SAMPLE_FORMATS[format].bytes));
}

/** The calls of the C library that a chain does in one. */
function inSingleCalls({ format, channels, inRate, outRate, frames }: Shape, bytes: Uint8Array): Decoded {
  using converter = new PcmConverter(format, channels);
  using inspector = new Inspector(inRate, channels);
  const converted = new Float32Array(frames * channels);
  const offsets = Uint32Array.from({ length: channels }, (_, channel) => channel * frames);
  converter.process(bytes, 0, bytes.length, converted, offsets);
  const observed = inspector.process(converted, offsets, frames);
  const decoded: Decoded = {
    samples: [],
    decisions: [],
    observed,
    flags: converter.flags,
    clipped: inspector.channelOf(INSPECT_CLIPPING),
  };
  for (let channel = 0; channel < channels; channel++) {
    using resampler = new Resampler(inRate, outRate);
    using vad = new EnergyVad(outRate, 10, -70);
    const out = new Float32Array(frames * 12 + 1000);
    let length = resampler.process(converted, channel * frames, frames, out, 0);
    length += resampler.flush(out, length, 1000);
    const [speech, levels] = [new Uint8Array(length), new Float32Array(length)];
    const windows = vad.process(out, 0, length, speech, levels);
    decoded.samples.push([...out.subarray(0, length)]);
    decoded.decisions.push(Array.from({ length: windows }, (_, i) => [speech[i] ?? 0, levels[i] ?? 0]));
  }
  return decoded;
}

function chainOf({ format, channels, inRate, outRate }: Shape): [DecodeChain, EnergyVad[]] {
  const chain = new DecodeChain(format, channels, inRate, outRate);
  const vads = Array.from({ length: channels }, () => new EnergyVad(outRate, 10, -70));
  for (const [channel, vad] of vads.entries()) chain.detect(channel, vad);
  return [chain, vads];
}

/** @param renews another chain takes over after every call, from the saved state */
function inOneCall(shape: Shape, pieces: Iterable<Uint8Array>, room: number, renews = false): Decoded {
  const { channels } = shape;
  let [chain, vads] = chainOf(shape);
  const samples = vads.map((): number[] => []);
  const decisions = vads.map((): [number, number][] => []);
  const decoded: Decoded = { samples, decisions, observed: 0, flags: 0, clipped: -1 };
  const out = new Float32Array(channels * room);
  const offsets = Uint32Array.from({ length: channels }, (_, channel) => channel * room);
  const take = (): void => {
    for (const [channel] of vads.entries()) {
      const from = channel * room;
      samples[channel]?.push(...out.subarray(from, from + chain.samples));
      const { speech, levels, first, end } = chain.windows(channel);
      for (let i = first; i < end; i++) decisions[channel]?.push([speech[i] ?? 0, levels[i] ?? 0]);
    }
    Object.assign(decoded, { observed: chain.observed, flags: chain.flags });
  };
  for (const piece of pieces) {
    for (let offset = 0; offset < piece.length || chain.spilled > 0;) {
      offset += chain.process(piece, offset, piece.length - offset, out, offsets, room);
      take();
      if (!renews) continue;
      const image = chain.save();
      chain[Symbol.dispose]();
      for (const vad of vads) vad[Symbol.dispose]();
      [chain, vads] = chainOf(shape);
      expect(chain.restore(image)).toBe(true);
    }
  }
  while (chain.flush(out, offsets, room) > 0) take();
  decoded.clipped = chain.channelOf(INSPECT_CLIPPING);
  chain[Symbol.dispose]();
  for (const vad of vads) vad[Symbol.dispose]();
  return decoded;
}

test("one call gives the bits of the single calls, however bytes and room are cut", () => {
  fc.assert(
    fc.property(
      shapes,
      fc.array(fc.integer({ min: 1, max: 9000 }), { minLength: 1, maxLength: 8 }),
      fc.integer({ min: 1, max: SLAB_SAMPLES }),
      (shape, sizes, room) => {
        const bytes = bytesOf(shape);
        expect(inOneCall(shape, cut(bytes, sizes), room)).toEqual(inSingleCalls(shape, bytes));
      },
    ),
    { numRuns: 60 },
  );
});

test("a chain goes on from the saved state of another one with the same bits", () => {
  fc.assert(
    fc.property(shapes, fc.integer({ min: 1, max: 2000 }), fc.integer({ min: 1, max: 900 }), (shape, frames, room) => {
      const bytes = bytesOf(shape);
      const frameBytes = shape.channels * SAMPLE_FORMATS[shape.format].bytes;
      // A saved state ends with a whole frame, and so does every piece here.
      const whole = bytes.subarray(0, shape.frames * frameBytes);
      const renewed = inOneCall(shape, cut(whole, [frames * frameBytes]), room, true);
      expect(renewed).toEqual(inSingleCalls(shape, whole));
    }),
    { numRuns: 30 },
  );
});

test("a detector goes on from a state that was saved anywhere in speech and pauses", () => {
  const audio = new Uint8Array(encode("f32", speech([0.7, 0.4, 1.9, 0.8], { rate: 16_000, seed: 3 })));
  const shape: Shape = {
    format: "f32",
    channels: 1,
    inRate: 16_000,
    outRate: 16_000,
    frames: audio.length / 4,
    seed: 0,
  };
  const whole = inOneCall(shape, [audio], 160);
  expect(new Set(whole.decisions[0]?.map(([speaks]) => speaks))).toEqual(new Set([0, 1]));
  expect(inOneCall(shape, [audio], 160, true)).toEqual(whole);
});

test("a saved state of other arguments, a damaged one and none are refused, and the chain is like new", () => {
  const shape: Shape = { format: "s16", channels: 2, inRate: 48_000, outRate: 16_000, frames: 900, seed: 4 };
  const bytes = bytesOf(shape);
  using chain = chainOf(shape)[0];
  const [out, offsets] = [new Float32Array(2000), Uint32Array.of(0, 1000)];
  chain.process(bytes, 0, bytes.length, out, offsets, 1000);
  const image = chain.save();
  for (const other of [{ format: "s24" }, { channels: 1 }, { inRate: 44_100 }, { outRate: 8000 }] as const) {
    using another = chainOf({ ...shape, ...other })[0];
    expect(another.restore(image)).toBe(false);
  }
  for (const wrong of [image.slice(1), image.slice(0, -1), new Uint8Array(0), new Uint8Array(image.length)]) {
    expect(chain.restore(wrong)).toBe(false);
  }
  expect(chain.process(bytes, 0, bytes.length, out, offsets, 1000)).toBe(bytes.length);
  expect(chain.save()).toEqual(image);
  chain.flush(out, offsets, 1000);
  expect(() => chain.save()).toThrow("after a flush");
});

test("room of one sample is enough, also where a frame becomes twelve", () => {
  const shape: Shape = { format: "s16", channels: 2, inRate: 4000, outRate: 48_000, frames: 300, seed: 4 };
  const bytes = bytesOf(shape);
  expect(inOneCall(shape, cut(bytes, [7]), 1)).toEqual(inSingleCalls(shape, bytes));
});

test("a chain without detectors decides nothing", () => {
  using chain = new DecodeChain("s16", 1, 16_000, 16_000);
  const out = new Float32Array(1600);
  expect(chain.process(new Uint8Array(3200), 0, 3200, out, Uint32Array.of(0), 1600)).toBe(3200);
  expect([chain.samples, chain.windows(0)]).toEqual([1600, expect.objectContaining({ first: 0, end: 0 })]);
});

test("arguments outside their range throw, and so does input after the end until a reset", () => {
  const [out, offsets] = [new Float32Array(10), Uint32Array.of(0)];
  const bytes = new Uint8Array(20);
  expect(() => new DecodeChain("s16", 0, 16_000, 16_000)).toThrow("channels is 0");
  expect(() => new DecodeChain("s16", 1, 3999, 16_000)).toThrow("input rate is 3999");
  expect(() => new DecodeChain("s16", 1, 16_000, 384_001)).toThrow("output rate is 384001");
  using chain = new DecodeChain("s16", 1, 16_000, 16_000);
  expect(() => chain.process(bytes, 1, 20, out, offsets, 10)).toThrow("bytes offset is 1");
  expect(() => chain.process(bytes, 0, 20, out, offsets, 11)).toThrow("channel 0 needs 11 samples");
  expect(() => chain.process(bytes, 0, 20, out, offsets, SLAB_SAMPLES + 1)).toThrow("room is 4097");
  using vad = new EnergyVad(16_000, 10, -70);
  expect(() => chain.detect(1, vad)).toThrow("channel is 1");
  expect(chain.flush(out, offsets, 10)).toBe(0);
  expect(() => chain.process(bytes, 0, 20, out, offsets, 10)).toThrow("after a flush");
  chain.reset();
  expect(chain.process(bytes, 0, 20, out, offsets, 10)).toBe(20);
});
