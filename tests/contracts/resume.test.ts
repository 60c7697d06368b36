import { describe, expect, setDefaultTimeout, test } from "bun:test";

import fc from "fast-check";

import { SAMPLE_FORMAT_NAMES } from "../../src/lib/sample-format.ts";
import { seeded } from "../support/audio.ts";
import { prove, rounds } from "../support/proof.ts";
import { resumed } from "../support/resumed-streams.ts";
import { essenceOf, frameBytesOf, spoken, type StreamCase } from "../support/stream-harness.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(3_600_000);

const VAD = { min_silence_ms: 300, max_utterance_ms: 1500, pre_roll_ms: 150 };

const streamCases = (pattern: string, keepsState: boolean): fc.Arbitrary<StreamCase> =>
  fc
    .record({
      pattern: fc.constant(pattern),
      sampleFormat: fc.constantFrom(...SAMPLE_FORMAT_NAMES),
      channels: fc.constantFrom(1, 1, 2, 3, 16),
      sampleRate: fc.constantFrom(4000, 8000, 11_025, 12_345, 16_000, 44_100, 48_000),
      modelRate: fc.constantFrom(8000, 16_000),
      blockMs: fc.constantFrom(100, 333, 1200),
      vad: fc.constant(VAD),
      keepsState: fc.constant(keepsState),
    })
    // 48 kHz in many channels takes long to make up.
    .map((streamCase) => ({
      ...streamCase,
      channels: streamCase.sampleRate > 12_345 ? Math.min(2, streamCase.channels) : streamCase.channels,
    }));

/** A stream that goes on elsewhere, again and again, gives the events of one that does not. */
async function check(pattern: string, keepsState = false): Promise<string> {
  let resumptions = 0;
  await fc.assert(
    fc.asyncProperty(
      streamCases(pattern, keepsState),
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
    { numRuns: rounds(8, 1000) },
  );
  expect(resumptions).toBeGreaterThan(0);
  return `0 differences after ${resumptions} resumptions, ${pattern}`;
}

describe("a stream that is resumed at random places has the results, times and ledger of one that is not", () => {
  test("in the pattern simple", () => prove("resume", () => check("simple")));
  test("in the pattern segmented", () => prove("resume", () => check("segmented")));
  test("in the pattern stateful, with the state of the model", () => prove("resume", () => check("stateful", true)));
});
