import { describe, expect, test } from "bun:test";

import fc from "fast-check";

import { INSPECT_CLIPPING, INSPECT_IDENTICAL, INSPECT_SILENCE, Inspector } from "../../src/native/inspector.ts";

const RATE = 4000;

interface Observed {
  readonly bits: number;
  readonly clipping: number;
  readonly silence: number;
}

/** The definitions of native/streamer_audio.h, frame by frame. */
function oracle(channels: readonly Float32Array[]): Observed {
  let [bits, clipping, silence, equal] = [0, -1, -1, 0];
  const states = channels.map(() => ({ zeros: 0, run: 0, last: 0, runs: [] as number[] }));
  const frames = channels[0]?.length ?? 0;
  for (let i = 0; i < frames; i++) {
    const values = channels.map((samples) => samples[i] ?? 0);
    values.forEach((value, channel) => {
      const state = states[channel];
      if (!state) return;
      state.zeros = value === 0 ? state.zeros + 1 : 0;
      if (state.zeros >= 10 * RATE && silence < 0) silence = channel;
      const clipped = Math.abs(value) >= Math.fround(0.999);
      state.run = !clipped ? 0 : value === state.last && state.run > 0 ? state.run + 1 : 1;
      state.last = value;
      if (state.run === 4) state.runs.push(i);
      const tenth = state.runs.at(-10);
      if (clipping < 0 && state.run === 4 && tenth !== undefined && i - tenth < RATE) clipping = channel;
    });
    const same = values.every((value) => value === values[0]);
    equal = same && (equal > 0 || values[0] !== 0) ? equal + 1 : 0;
    if (channels.length > 1 && equal >= 10 * RATE) bits |= INSPECT_IDENTICAL;
  }
  if (clipping >= 0) bits |= INSPECT_CLIPPING;
  if (silence >= 0) bits |= INSPECT_SILENCE;
  return { bits, clipping, silence };
}

function inspect(channels: readonly Float32Array[], cuts: readonly number[] = [2 ** 30]): Observed {
  using inspector = new Inspector(RATE, channels.length);
  const frames = channels[0]?.length ?? 0;
  const memory = new Float32Array(frames * channels.length);
  channels.forEach((samples, channel) => memory.set(samples, channel * frames));
  let bits = 0;
  for (let at = 0, turn = 0; at < frames; turn++) {
    const length = Math.min(cuts[turn % cuts.length] ?? 1, frames - at);
    const offsets = Uint32Array.from(channels, (_, channel) => channel * frames + at);
    bits = inspector.process(memory, offsets, length);
    at += length;
  }
  return { bits, clipping: inspector.channelOf(INSPECT_CLIPPING), silence: inspector.channelOf(INSPECT_SILENCE) };
}

/** Audio of stretches: silence, a level, a buzz or a row of clipped runs, each from single samples to seconds. */
const stretch = fc.record({
  kind: fc.constantFrom("silence", "level", "buzz", "clipped", "gaps"),
  length: fc.oneof(fc.integer({ min: 1, max: 600 }), fc.integer({ min: 1, max: 30_000 })),
  seed: fc.integer({ min: 1, max: 9 }),
});
type Stretch = typeof stretch extends fc.Arbitrary<infer T> ? T : never;

function render(stretches: readonly Stretch[], frames: number): Float32Array {
  const samples: number[] = [];
  for (const { kind, length, seed } of stretches)
    for (let i = 0; i < length && samples.length < frames; i++) {
      if (kind === "silence") samples.push(0);
      else if (kind === "level") samples.push(seed / 10);
      else if (kind === "buzz") samples.push(((i * seed) % 17) / 20);
      else if (kind === "clipped") samples.push(i % (seed * 70) < seed ? -1 : 0.5);
      else samples.push(i % 1000 < seed ? 0.25 : 0);
    }
  while (samples.length < frames) samples.push(0);
  return Float32Array.from(samples);
}

describe("inspector", () => {
  test("observes what its definitions require, however the audio is cut", () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(stretch, { maxLength: 8 }), { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 1, max: 110_000 }),
        fc.boolean(),
        fc.array(fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 50_000 })), {
          minLength: 1,
          maxLength: 5,
        }),
        (plans, frames, alike, cuts) => {
          const channels = plans.map((plan, i) => render(alike && i > 0 ? (plans[0] ?? plan) : plan, frames));
          expect(inspect(channels, cuts)).toEqual(oracle(channels));
        },
      ),
      { numRuns: 60 },
    );
  });

  const tone = Float32Array.from({ length: RATE * 12 }, (_, i) => 0.5 * Math.sin(i / 3));
  const second = Float32Array.from(tone, (value, i) => (i % RATE === 0 ? value / 2 : value));

  test("a sine that is too loud clips, one at full scale does not", () => {
    const amplified = Float32Array.from(tone, (_, i) => Math.max(-1, Math.min(1, 2 * Math.sin(i / 10))));
    expect(inspect([tone, amplified])).toEqual({ bits: INSPECT_CLIPPING, clipping: 1, silence: -1 });
    expect(inspect([Float32Array.from(tone, (_, i) => Math.sin(i / 3))]).bits).toBe(0);
  });

  test("few clipped runs, or many over a long time, are not clipping", () => {
    const sparse = tone.slice();
    for (let i = 0; i < sparse.length; i += RATE / 8) sparse.fill(1, i, i + 6);
    expect(inspect([sparse]).bits).toBe(0);
    const dense = tone.slice();
    for (let i = 0; i < sparse.length; i += RATE / 12) dense.fill(1, i, i + 6);
    expect(inspect([dense]).bits).toBe(INSPECT_CLIPPING);
  });

  test("ten seconds of zeros are silence, one sample less is not", () => {
    const quiet = tone.slice();
    quiet.fill(0, 100, 100 + 10 * RATE);
    expect(inspect([quiet])).toEqual({ bits: INSPECT_SILENCE, clipping: -1, silence: 0 });
    quiet[100] = 1e-9;
    expect(inspect([quiet]).bits).toBe(0);
  });

  test("channels are identical after ten equal seconds, and never when they differ now and then", () => {
    expect(inspect([tone, tone]).bits).toBe(INSPECT_IDENTICAL);
    expect(inspect([tone, tone, tone]).bits).toBe(INSPECT_IDENTICAL);
    expect(inspect([tone, second]).bits).toBe(0);
    expect(inspect([tone, tone, second]).bits).toBe(0);
    expect(inspect([tone]).bits).toBe(0);
  });

  test("channels that are silent together are silent, not equal", () => {
    const silence = new Float32Array(RATE * 12);
    expect(inspect([silence, silence])).toEqual({ bits: INSPECT_SILENCE, clipping: -1, silence: 0 });
  });

  test("a reset inspector is like a new one", () => {
    using inspector = new Inspector(RATE, 2);
    const offsets = Uint32Array.of(0, 0);
    expect(inspector.process(new Float32Array(RATE * 11), offsets, RATE * 11)).toBe(INSPECT_SILENCE);
    inspector.process(tone, offsets, RATE * 9);
    inspector.reset();
    expect(inspector.channelOf(INSPECT_SILENCE)).toBe(-1);
    expect(inspector.process(tone, offsets, RATE * 9)).toBe(0);
    // The tone begins with a sample of zero, and the stretch with the first one that is not.
    expect(inspector.process(tone, offsets, RATE)).toBe(0);
    expect(inspector.process(tone, offsets, 1)).toBe(INSPECT_IDENTICAL);
  });

  test("arguments out of range are refused", () => {
    expect(() => new Inspector(3999, 1)).toThrow(RangeError);
    expect(() => new Inspector(16000, 0)).toThrow(RangeError);
    using inspector = new Inspector(16000, 2);
    expect(() => inspector.process(new Float32Array(10), Uint32Array.of(0, 6), 5)).toThrow(RangeError);
    expect(() => inspector.process(new Float32Array(10), Uint32Array.of(0), 5)).toThrow(RangeError);
    expect(inspector.process(new Float32Array(10), Uint32Array.of(0, 5), 5)).toBe(0);
  });
});
