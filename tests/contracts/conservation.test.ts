import { describe, expect, setDefaultTimeout, test } from "bun:test";

import fc from "fast-check";

import { SAMPLE_FORMAT_NAMES } from "../../src/lib/sample-format.ts";
import { PATTERNS } from "../../src/pipeline/patterns.ts";
import type { ServerEvent } from "../../src/protocol/events.ts";
import { rescaled } from "../support/ledgers.ts";
import {
  DrivenStream,
  frameBytesOf,
  slabsFor,
  spoken,
  type StreamCase,
  StreamHarness,
} from "../support/stream-harness.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const VAD = { min_silence_ms: 200, max_utterance_ms: 1000, pre_roll_ms: 100 };

/** What a pinned model of the pattern is fed with; empty: it takes none. */
const pinnedKinds = (pattern: string) =>
  PATTERNS[pattern]?.takesPinned === true ? [{ stepMs: 100 }, { stepMs: 70 }] : [];

const streamCases = (pattern: string): fc.Arbitrary<StreamCase> =>
  fc
    .record({
      pattern: fc.constant(pattern),
      sampleFormat: fc.constantFrom(...SAMPLE_FORMAT_NAMES),
      channels: fc.integer({ min: 1, max: 3 }),
      sampleRate: fc.constantFrom(8000, 11_025, 16_000, 44_100),
      modelRate: fc.constantFrom(8000, 16_000),
      vad: fc.constant(VAD),
      interimIntervalMs: fc.constantFrom(100, 200),
      failEvery: fc.constantFrom(0, 2, 5),
      pinned: fc.constantFrom(undefined, ...pinnedKinds(pattern)),
    })
    .map((streamCase) => ({ ...streamCase, channels: streamCase.sampleRate > 16_000 ? 1 : streamCase.channels }));

/** Samples of the spans that finals, or errors, of one channel tell. They may not overlap or go back. */
function covered(events: readonly ServerEvent[], channel: number, type: "segment" | "error", rate: number): number {
  let [sum, last] = [0, 0];
  for (const event of events) {
    if (event.type !== type || event.channel !== channel) continue;
    if (event.type === "segment" && event.is_final === false) continue;
    // A model that is called at the end of a stream gets no samples then.
    if (event.start_time === undefined) continue;
    const [start, end] = [event.start_time * rate, (event.end_time ?? Number.NaN) * rate];
    expect(start).toBeGreaterThanOrEqual(last - 1e-6);
    last = end;
    sum += Math.round(end) - Math.round(start);
  }
  return sum;
}

/**
 * Every byte became a frame, every frame decoded samples, and each of them was answered, silent or named by an error.
 */
function checkLedger(driven: DrivenStream, bytes: number): void {
  const { streamCase, events } = driven;
  const stopped = events.at(-1);
  if (stopped?.type !== "stopped") throw new Error("stopped is not the last event");
  expect(events.filter(({ type }) => type === "stopped")).toHaveLength(1);
  const frames = Math.floor(bytes / frameBytesOf(streamCase));
  expect(stopped.trailing_bytes).toBe(bytes % frameBytesOf(streamCase));
  expect(stopped.skipped_bytes).toBe(0);
  expect(stopped.channels.map(({ channel }) => channel)).toEqual(
    Array.from({ length: streamCase.channels }, (_, c) => c),
  );
  for (const ledger of stopped.channels) {
    expect(ledger.received).toBe(frames);
    expect(ledger.received_rate).toBe(streamCase.sampleRate);
    expect(ledger.decoded).toBe(rescaled(frames, streamCase.modelRate, streamCase.sampleRate));
    expect(ledger.inferred + ledger.silent + ledger.failed).toBe(ledger.decoded);
    expect(covered(events, ledger.channel, "segment", streamCase.modelRate)).toBe(ledger.inferred);
    expect(covered(events, ledger.channel, "error", streamCase.modelRate)).toBe(ledger.failed);
    const own = events.filter((event) => "channel" in event && event.channel === ledger.channel);
    const finals = own.filter((event) => event.type === "segment" && event.is_final !== false);
    expect(finals).toHaveLength(ledger.segments);
    expect(own.filter(({ type }) => type === "error")).toHaveLength(ledger.errors);
    const interims = own.length - own.filter((event) => event.type !== "segment" || event.is_final !== false).length;
    expect(interims).toBeLessThanOrEqual(ledger.interims);
  }
}

for (const pattern of Object.keys(PATTERNS)) {
  describe(pattern, () => {
    test("whatever fails, the ledger adds up to the sample and errors name what is counted as failed", async () => {
      await fc.assert(
        fc.asyncProperty(
          streamCases(pattern),
          fc.nat(2 ** 30),
          fc.integer({ min: 999, max: 60_000 }),
          async (streamCase, seed, size) => {
            const bytes = spoken(streamCase, seed % 50, [0.5, 1.1]).subarray(seed % 7);
            const harness = new StreamHarness(1024, streamCase.modelRate, streamCase.failEvery ?? 0, seed, streamCase);
            const driven = new DrivenStream(harness, streamCase);
            for (let at = 0; at < bytes.length; at += size) {
              await driven.send(bytes.slice(at, at + size));
              if (harness.chance() < 0.3) await harness.answer(2);
            }
            await driven.stop();
            await harness.runDeferred();
            checkLedger(driven, bytes.length);
            expect(harness.arena.used).toBe(0);
          },
        ),
        { numRuns: 20 },
      );
    });

    test("given up at any moment, the errors' spans are exactly what is failed, and nothing is held", async () => {
      await fc.assert(
        fc.asyncProperty(
          streamCases(pattern),
          fc.nat(2 ** 30),
          fc.integer({ min: 999, max: 60_000 }),
          fc.double({ min: 0, max: 1.1, noNaN: true }),
          fc.nat(5000),
          fc.boolean(),
          async (streamCase, seed, size, when, unread, tight) => {
            const bytes = spoken(streamCase, seed % 50, [0.5, 1.1]);
            const slabs = tight ? slabsFor(streamCase) : 1024;
            const harness = new StreamHarness(slabs, streamCase.modelRate, streamCase.failEvery ?? 0, seed, streamCase);
            const driven = new DrivenStream(harness, tight ? { ...streamCase, budgetSeconds: 100 } : streamCase);
            const end = Math.min(bytes.length, Math.floor(when * bytes.length));
            let at = 0;
            for (; at < end; at += size) {
              await driven.send(bytes.slice(at, at + size));
              if (harness.chance() < 0.2) driven.flush();
              if (harness.chance() < 0.3) await harness.answer(2);
            }
            at = Math.min(at, bytes.length);
            // Some that nobody has had the time to decode, some that waits in the inbox.
            const last = bytes.slice(at, at + size);
            driven.stream.offer(last);
            if (harness.chance() < 0.5) driven.advance();
            if (when > 1) driven.stream.end("stop");
            if (when > 1 && harness.chance() < 0.5) driven.advance();
            const stopped = driven.stream.over;
            const { length } = driven.events;
            driven.stream.abort({ code: "overloaded", message: "given up", reason: "error" }, unread);
            expect(driven.stream.over).toBe(true);
            checkLedger(driven, at + last.length + (stopped ? 0 : unread));
            if (!stopped) expect(driven.events.slice(length).some(({ type }) => type === "error")).toBe(true);
            // What was on its way is dropped unheard.
            const said = driven.events.length;
            await harness.runDeferred();
            driven.stream.abort({ code: "internal", message: "again", reason: "error" }, 3);
            expect(driven.events.length).toBe(said);
            expect(driven.faults).toEqual([]);
            expect(harness.model.waiting).toEqual([]);
            expect(harness.model.lanes).toBe(0);
            expect(harness.arena.used).toBe(0);
          },
        ),
        { numRuns: 40 },
      );
    });

    test("random bytes in any format are a stream like any other", async () => {
      await fc.assert(
        fc.asyncProperty(
          streamCases(pattern),
          fc.uint8Array({ maxLength: 4000 }),
          fc.nat(),
          async (streamCase, bytes, seed) => {
            const harness = new StreamHarness(1024, streamCase.modelRate, streamCase.failEvery ?? 0, seed, streamCase);
            const driven = new DrivenStream(harness, streamCase);
            await driven.send(bytes);
            await driven.stop();
            checkLedger(driven, bytes.length);
            expect(harness.arena.used).toBe(0);
          },
        ),
        { numRuns: 40 },
      );
    });
  });
}
