import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Segment } from "../../src/protocol/events.ts";
import { encode, speech } from "../support/audio.ts";
import { InProcessServer } from "../support/in-process-server.ts";
import { expectExactLedger } from "../support/ledgers.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const folder = mkdtempSync(join(tmpdir(), "streamer-recognisers-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Three utterances on the one side, and the same in another order on the other. */
const WORDS = [0.6, 1.3, 0.5];
const [left, right] = [speech(WORDS), speech(WORDS.toReversed(), { seed: 2 })];
const AUDIO = encode("s16", left.subarray(0, right.length), right.subarray(0, left.length));
const FORMAT = { channels: 2, sample_rate: 16_000, bit_depth: 16, is_float: false };

let files = 0;

/** Streams the audio twice to a model with this `infer`, with interim results. Returns the events of the first time. */
async function stream(infer: string) {
  const path = join(folder, `model-${files++}.ts`);
  writeFileSync(path, `export default { name: "recogniser", load: () => ({ infer: ${infer} }) };`);
  await using server = await InProcessServer.start({ "model.name": path, "model.workers": 2 });
  using client = await server.connect({ path: "/api/v1/segmented" });
  const vad = { min_silence_ms: 300 };
  for (let i = 0; i < 2; i++) {
    await client.sendStream(AUDIO, { format: FORMAT, vad, interim_results: true, interim_interval_ms: 100 });
  }
  const events = client.events.slice(0, client.events.findIndex(({ type }) => type === "stopped") + 1);
  expectExactLedger(events);
  const segments = events.filter((event) => event.type === "segment") as (Segment & Record<string, unknown>)[];
  return { events, segments, odd: server.logged("odd_words").length };
}

describe("a recogniser", () => {
  test("has the words of each channel moved to the stream's clock, in interims and finals", async () => {
    const word = "{ word: 'w', start: 0.1, end: audio.length / 16000, confidence: 0.5 }";
    const { segments, odd } = await stream(`(audio) => ({ text: "w", words: [${word}] })`);
    expect(segments.filter(({ is_final }) => is_final)).toHaveLength(6);
    for (const { start_time, end_time, words } of segments) {
      expect(words).toEqual([{ word: "w", start: rounded(start_time + 0.1), end: rounded(end_time), confidence: 0.5 }]);
    }
    expect(odd).toBe(0);
  });

  test("whose words are of another form keeps them, with one warning in the log for all streams", async () => {
    const { segments, odd } = await stream(`() => ({ words: [{ text: "w", from: 0 }] })`);
    for (const { words } of segments) expect(words).toEqual([{ text: "w", from: 0 }]);
    expect(odd).toBe(1);
  });

  test("gets the number of each utterance of a channel and where it starts, the same for interims and the final", async () => {
    const { segments } = await stream("(_, { utterance, startSeconds }) => ({ utterance, startSeconds })");
    for (const channel of [0, 1]) {
      const own = segments.filter((segment) => segment.channel === channel);
      expect(own.filter(({ is_final }) => is_final).map(({ utterance }) => utterance)).toEqual([0, 1, 2]);
      for (const { start_time, utterance, startSeconds } of own) {
        const final = own.find((each) => each.is_final === true && each.start_time === start_time);
        expect(utterance).toBe(final?.["utterance"]);
        expect(startSeconds).toBe(start_time);
      }
    }
  });

  test("may decline interims, and then nothing is sent for them", async () => {
    const { events, segments } = await stream(
      "(audio, { final }) => (final || audio.length > 16000 ? { count: audio.length } : undefined)",
    );
    expect(segments.filter(({ is_final }) => is_final)).toHaveLength(6);
    for (const { is_final, start_time, end_time } of segments)
      if (!is_final) expect(end_time - start_time).toBeGreaterThan(1);
    const stopped = events.at(-1);
    if (stopped?.type !== "stopped") throw new Error("no ledger");
    for (const { channel, interims } of stopped.channels) {
      expect(interims).toBe(segments.filter((each) => each.channel === channel && each.is_final === false).length);
    }
  });
});

function rounded(seconds: number): number {
  return Math.round(seconds * 1e6) / 1e6;
}
