import { expect } from "bun:test";

import fc from "fast-check";

import { SAMPLE_FORMAT_NAMES } from "../../src/lib/sample-format.ts";
import { seeded } from "./audio.ts";
import { resumed } from "./resumed-streams.ts";
import { essenceOf, frameBytesOf, type ModelKind, spoken, type StreamCase } from "./stream-harness.ts";

const VAD = { min_silence_ms: 300, max_utterance_ms: 1500, pre_roll_ms: 150 };

const streamCases = (pattern: string, kind: ModelKind): fc.Arbitrary<StreamCase> =>
  fc
    .record({
      pattern: fc.constant(pattern),
      sampleFormat: fc.constantFrom(...SAMPLE_FORMAT_NAMES),
      channels: fc.constantFrom(1, 1, 2, 3, 16),
      sampleRate: fc.constantFrom(4000, 8000, 11_025, 12_345, 16_000, 44_100, 48_000),
      modelRate: fc.constantFrom(8000, 16_000),
      blockMs: fc.constantFrom(100, 333, 1200),
      vad: fc.constant(VAD),
    })
    // 48 kHz in many channels takes long to make up.
    .map((streamCase) => ({
      ...streamCase,
      ...kind,
      channels: streamCase.sampleRate > 12_345 ? Math.min(2, streamCase.channels) : streamCase.channels,
    }));

/**
 * Checks that streams that go on elsewhere, again and again, give the events of those that do not. Returns a figure for
 * the table of promises.
 */
export async function checkResumedStreams(
  pattern: string,
  { runs, seed, ...kind }: { runs: number; seed: number } & ModelKind,
): Promise<string> {
  let resumptions = 0;
  await fc.assert(
    fc.asyncProperty(
      streamCases(pattern, kind),
      fc.array(fc.integer({ min: 100, max: 20_000 }), { minLength: 1, maxLength: 6 }),
      fc.nat(2 ** 30),
      async (streamCase, sizes, seed) => {
        const words = [0.6, 0.3, 2.1, 0.4].slice(seed % 3);
        const bytes = spoken(streamCase, seed % 50, words);
        // Not those of the property: they prefer small numbers, and a cut at the start cuts nothing.
        const chance = seeded(seed);
        const places = (most: number, unit: number): number[] => {
          const count = Math.floor(chance() * (most + 1));
          const found = Array.from({ length: count }, () => Math.floor((chance() * bytes.length) / unit) * unit);
          return [...new Set(found)].toSorted((a, b) => a - b);
        };
        const flushes = places(3, frameBytesOf(streamCase));
        const options = { sizes, flushes, seed };
        const whole = await resumed(streamCase, bytes, { ...options, at: [] });
        const broken = await resumed(streamCase, bytes, { ...options, at: places(5, 1) });
        resumptions += broken.resumptions;
        expect(essenceOf(broken.events, streamCase.channels)).toEqual(essenceOf(whole.events, streamCase.channels));
      },
    ),
    { numRuns: runs, seed },
  );
  expect(resumptions).toBeGreaterThan(0);
  return `0 differences after ${resumptions} resumptions, ${pattern}${kind.pinned === undefined ? "" : " with a pinned model"}`;
}
