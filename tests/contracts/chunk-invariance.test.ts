import { describe, expect, setDefaultTimeout, test } from "bun:test";

import fc from "fast-check";

import { SAMPLE_FORMAT_NAMES } from "../../src/lib/sample-format.ts";
import { PATTERNS } from "../../src/pipeline/patterns.ts";
import { DrivenStream, slabsFor, spoken, type StreamCase, StreamHarness } from "../support/stream-harness.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

/** The stream in these messages, flushed at these bytes; `null` stands for one message. */
async function played(
  streamCase: StreamCase,
  bytes: Uint8Array,
  {
    sizes,
    flushes = [],
    seed = 1,
    slabs = 4096,
  }: {
    sizes: readonly number[] | null;
    flushes?: readonly number[];
    seed?: number;
    slabs?: number;
  },
): Promise<DrivenStream> {
  const harness = new StreamHarness(slabs, streamCase.modelRate, streamCase.failEvery ?? 0, seed, streamCase);
  const driven = new DrivenStream(harness, streamCase);
  const places = new Set(flushes);
  if (places.has(0)) driven.flush();
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const border = flushes.find((place) => place > at) ?? bytes.length;
    // Small messages first, then the rest of the stream in one: time is short.
    const size = sizes === null || i > 1000 ? bytes.length : (sizes[i % sizes.length] ?? 1);
    const end = Math.min(border, bytes.length, at + size);
    await driven.send(bytes.slice(at, end));
    at = end;
    if (places.has(at)) driven.flush();
    if (harness.chance() < 0.2) await harness.answer(Math.floor(harness.chance() * 4));
  }
  await driven.stop();
  await harness.runDeferred();
  expect(driven.faults).toEqual([]);
  expect(harness.arena.used).toBe(0);
  expect(harness.model.lanes).toBe(0);
  return driven;
}

/** Speech that the VAD finds is long; the rest may be short. */
const VAD = { min_silence_ms: 300, max_utterance_ms: 1000, pre_roll_ms: 150 };

/** What a pinned model of the pattern is fed with; empty: it takes none. */
const pinnedKinds = (pattern: string) =>
  PATTERNS[pattern]?.takesPinned === true ? [{ stepMs: 100 }, { stepMs: 70 }] : [];

const streamCases = (pattern: string): fc.Arbitrary<StreamCase> =>
  fc
    .record({
      pattern: fc.constant(pattern),
      sampleFormat: fc.constantFrom(...SAMPLE_FORMAT_NAMES),
      channels: fc.integer({ min: 1, max: 4 }),
      sampleRate: fc.constantFrom(4000, 8000, 11_025, 12_345, 16_000, 22_050, 44_100, 48_000),
      modelRate: fc.constantFrom(8000, 16_000),
      blockMs: fc.constantFrom(20, 100, 333),
      vad: fc.constant(VAD),
      failEvery: fc.constantFrom(0, 3),
      pinned: fc.constantFrom(undefined, ...pinnedKinds(pattern)),
    })
    // 48 kHz in four channels takes long to make up.
    .map((streamCase) => ({
      ...streamCase,
      channels: streamCase.sampleRate > 16_000 ? Math.min(2, streamCase.channels) : streamCase.channels,
    }));

const cuts = fc.array(
  fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 4000 }), fc.integer({ min: 1, max: 300_000 })),
  { minLength: 1, maxLength: 12 },
);

for (const pattern of Object.keys(PATTERNS)) {
  describe(pattern, () => {
    test("the same bytes give the same finals, times and ledger, however they are cut and however the model answers", async () => {
      await fc.assert(
        fc.asyncProperty(
          streamCases(pattern),
          cuts,
          fc.nat(2 ** 30),
          fc.constantFrom(undefined, 100, 250),
          fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 3 }),
          fc.nat(40),
          async (streamCase, sizes, seed, interimIntervalMs, flushAt, odd) => {
            const audio = spoken(streamCase, seed % 50, [0.5, 1.3]);
            const bytes = audio.subarray(0, audio.length - odd);
            const flushes = flushAt.map((part) => Math.floor(part * bytes.length)).toSorted((a, b) => a - b);
            const whole = await played(streamCase, bytes, { sizes: null, flushes, seed });
            const options = interimIntervalMs === undefined ? streamCase : { ...streamCase, interimIntervalMs };
            const pieces = await played(options, bytes, { sizes, flushes, seed: seed + 1 });
            expect(pieces.essence).toEqual(whole.essence);
            for (const kind of whole.finals) expect(kind).toBeGreaterThan(0);
          },
        ),
        { numRuns: 25 },
      );
    });

    test("a memory and a budget that just suffice change nothing but the pace", async () => {
      await fc.assert(
        fc.asyncProperty(
          streamCases(pattern),
          cuts,
          fc.nat(2 ** 30),
          fc.boolean(),
          async (streamCase, sizes, seed, few) => {
            const bytes = spoken(streamCase, seed % 50, [1.2, 0.5]);
            const whole = await played(streamCase, bytes, { sizes: null, seed });
            const holds = (slabsFor(streamCase) / streamCase.channels) * 4096;
            const tight: StreamCase = few
              ? { ...streamCase, budgetSeconds: 100 }
              : { ...streamCase, budgetSeconds: (holds - 3 * 4096) / streamCase.modelRate, maxPending: 2 };
            const slow = await played(tight, bytes, {
              sizes,
              seed: seed + 1,
              slabs: few ? slabsFor(streamCase) : 4096,
            });
            expect(slow.essence).toEqual(whole.essence);
          },
        ),
        { numRuns: 20 },
      );
    });

    test("messages of one byte and of three bytes", async () => {
      const streamCase: StreamCase = {
        pattern,
        sampleFormat: "s24",
        channels: 2,
        sampleRate: 8000,
        modelRate: 16_000,
        vad: VAD,
      };
      const bytes = spoken(streamCase, 3, [0.4]).subarray(0, 50_000);
      const whole = await played(streamCase, bytes, { sizes: null });
      expect((await played(streamCase, bytes, { sizes: [3] })).essence).toEqual(whole.essence);
      const start = bytes.subarray(0, 1999);
      const short = await played(streamCase, start, { sizes: null });
      expect((await played(streamCase, start, { sizes: [1] })).essence).toEqual(short.essence);
    });

    test("streams that share one tight memory do not change each other's results", async () => {
      const streamCase: StreamCase = {
        pattern,
        sampleFormat: "s16",
        channels: 2,
        sampleRate: 16_000,
        modelRate: 16_000,
        vad: VAD,
      };
      const alone = await Promise.all(
        [1, 2, 3].map((seed) => played(streamCase, spoken(streamCase, seed, [1.1, 0.5]), { sizes: null })),
      );
      const harness = new StreamHarness(slabsFor(streamCase) * 3, streamCase.modelRate, 0, 5);
      const drivenStreams = [1, 2, 3].map(() => new DrivenStream(harness, { ...streamCase, budgetSeconds: 100 }));
      const audio = [1, 2, 3].map((seed) => spoken(streamCase, seed, [1.1, 0.5]));
      for (let at = 0; at < (audio[0]?.length ?? 0); at += 7001) {
        for (const [i, driven] of drivenStreams.entries())
          await driven.send(audio[i]?.slice(at, at + 7001) ?? new Uint8Array(0));
      }
      for (const driven of drivenStreams) await driven.stop();
      expect(drivenStreams.map(({ essence }) => essence)).toEqual(alone.map(({ essence }) => essence));
      expect(harness.memory.waits).toBeGreaterThan(0);
      expect(harness.arena.used).toBe(0);
    });
  });
}
