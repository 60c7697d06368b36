import { describe, expect, test } from "bun:test";

import fc from "fast-check";

import { PATTERNS } from "../../src/pipeline/patterns.ts";
import type { ServerEvent } from "../../src/protocol/events.ts";
import type { Session } from "../../src/session/session.ts";
import { concat, encode, noise, seeded, voice } from "../support/audio.ts";
import { summarize } from "../support/event-summary.ts";
import { chunkInvariantEvents, ledgerProblems, streamsOf } from "../support/ledgers.ts";
import { S16_MONO, STOP } from "../support/requests.ts";
import { SessionHarness } from "../support/session-harness.ts";

const SETTINGS = {
  "limits.session_ms": 3_600_000,
  "limits.read_ahead_seconds": 1,
  "limits.inbox_bytes": 32_000,
  "vad.max_utterance_ms": 3_000,
  "vad.min_silence_ms": 200,
};

/** Ways in which the server ends a stream: what it does, the reason of `stopped`, and the close. */
const ENDS: Readonly<
  Record<string, readonly [end: (harness: SessionHarness, session: Session) => void, string, number]>
> = {
  "a limit": [(harness, session) => session.sweep((harness.now = 3_600_000)), "limit", 1008],
  "the end of a drain": [
    (_, session) => {
      session.drain(0);
      session.finish();
    },
    "drain",
    1001,
  ],
};

/** Speech with pauses, 44.1 kHz, two channels of which the second is late. */
const FORMAT = { ...S16_MONO, sample_rate: 44_100, channels: 2 };
const bytes = ((): Buffer => {
  const words = [0.5, 1.2, 0.3].map((seconds, n) => voice(seconds, { rate: 44_100, seed: n }));
  const gap = noise(0.4, { rate: 44_100 });
  const samples = concat(noise(0.8, { rate: 44_100 }), ...words.flatMap((word) => [word, gap]));
  const late = concat(noise(0.3, { rate: 44_100, seed: 2 }), samples).subarray(0, samples.length);
  return encode("s16", samples, late);
})();

/** Sends the first `length` bytes in messages of random sizes, while the model answers now and then. */
async function send(harness: SessionHarness, session: Session, length: number, random: () => number): Promise<void> {
  for (let at = 0; at < length;) {
    const end = Math.min(length, at + Math.floor(random() ** 2 * 60_000));
    session.receive(bytes.subarray(at, end));
    at = end;
    await answerSome(harness, random);
  }
}

async function answerSome(harness: SessionHarness, random: () => number): Promise<void> {
  await harness.runDeferred();
  while (harness.pendingJobs.length > 0 && random() < 0.4) {
    harness.answer(Math.floor(random() * harness.pendingJobs.length));
    await harness.runDeferred();
  }
}

/** Events of a stream that the client stops after `length` bytes. */
async function unbroken(pattern: string, length: number): Promise<ServerEvent[]> {
  using harness = new SessionHarness(SETTINGS);
  const { session, connection } = harness.start(pattern, { format: FORMAT });
  session.receive(bytes.subarray(0, length));
  session.receive(STOP);
  await harness.answerAll();
  return connection.events;
}

/** What does not depend on the end: finals, speech events, and the ledgers without interims. */
function essence(events: readonly ServerEvent[]): unknown {
  const kept = events.map((event) => {
    if (event.type !== "stopped") return event;
    return {
      ...event,
      reason: "stop" as const,
      channels: event.channels.map((ledger) => ({ ...ledger, interims: 0 })),
    };
  });
  return chunkInvariantEvents(kept);
}

for (const pattern of Object.keys(PATTERNS)) {
  for (const [name, [end, reason, code]] of Object.entries(ENDS)) {
    describe(`${name} at a random moment, with the pattern ${pattern}`, () => {
      const moment = fc.record({
        seed: fc.nat(),
        length: fc.integer({ min: 0, max: bytes.length }),
        interims: fc.boolean(),
      });

      test("gives the finals and the ledger of a stream that was stopped there", async () => {
        await fc.assert(
          fc.asyncProperty(moment, async ({ seed, length, interims }) => {
            using harness = new SessionHarness(SETTINGS);
            const random = seeded(seed);
            const fields = { format: FORMAT, interim_results: interims, interim_interval_ms: 100 };
            const { session, connection } = harness.start(pattern, fields);
            await send(harness, session, length, random);
            end(harness, session);
            await answerSome(harness, random);
            // Neither audio nor a stop can change the end any more.
            session.receive(bytes);
            if (random() < 0.5) session.receive(STOP);
            await harness.answerAll();
            const [stream] = streamsOf(connection.events);
            expect(ledgerProblems(stream!, { bytes: length, frameBytes: 4 })).toEqual([]);
            expect(stream?.stopped.reason).toBe(reason as never);
            expect(connection.events.at(-1)).toBe(stream?.stopped as never);
            expect(connection.closed?.code).toBe(code);
            expect(essence(withoutEnd(connection.events))).toEqual(essence(await unbroken(pattern, length)));
            expect(harness.arena.used).toBe(0);
          }),
          { numRuns: 40 },
        );
      });

      test("names everything that has no answer in time", async () => {
        await fc.assert(
          fc.asyncProperty(moment, async ({ seed, length }) => {
            using harness = new SessionHarness(SETTINGS);
            const random = seeded(seed);
            const { session, connection } = harness.start(pattern, { format: FORMAT });
            await send(harness, session, length, random);
            end(harness, session);
            await answerSome(harness, random);
            harness.now += 5_000;
            session.sweep(harness.now);
            const { length: told } = connection.events;
            await harness.answerAll();
            expect(connection.events).toHaveLength(told);
            const [stream] = streamsOf(connection.events);
            expect(ledgerProblems(stream!, { bytes: length, frameBytes: 4 })).toEqual([]);
            expect(connection.events.at(-1)).toMatchObject({ type: "stopped", reason });
            expect(connection.closed?.code).toBe(code);
            expect(harness.arena.used).toBe(0);
          }),
          { numRuns: 40 },
        );
      });
    });
  }
}

/** The events without those that only report the end. */
function withoutEnd(events: readonly ServerEvent[]): ServerEvent[] {
  return events.filter((event) => !["warning draining", "error session_limit"].includes(summarize(event)));
}
