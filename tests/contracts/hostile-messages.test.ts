import { heapStats } from "bun:jsc";
import { expect, test } from "bun:test";

import { freshSeed, seeded } from "../support/audio.ts";
import { Corpus } from "../support/fuzzing/corpus.ts";
import { FuzzedSessions } from "../support/fuzzing/sessions.ts";
import { prove, rounds } from "../support/proof.ts";

/** STREAMER_FUZZ_MESSAGES selects another number. */
const MESSAGES = Number(process.env["STREAMER_FUZZ_MESSAGES"] ?? rounds(200_000, 1_000_000));
const MESSAGES_A_SESSION = 1_000;
/** Distinct texts, each of which is sent in many situations. */
const TEXTS = 20_000;
/** Objects that may be left, of many millions. */
const LEFT_OBJECTS = 2_000;

const seed = freshSeed();
/** Runs one session alone: the number that a failure names, with STREAMER_SEED. */
const only = process.env["STREAMER_FUZZ_SESSION"];

function objectsWith(host: FuzzedSessions): number {
  host.forget();
  Bun.gc(true);
  return heapStats().objectCount;
}

test(`${MESSAGES} hostile messages: each violation gets its error, each stream its ledger, and nothing is left (seed ${seed})`, async () => {
  await prove("protocol_fuzzing", async () => {
    using host = new FuzzedSessions(new Corpus(seeded(seed), TEXTS));
    if (only !== undefined) {
      await host.run(seed, Number(only), MESSAGES_A_SESSION);
      return "one session";
    }
    let session = 0;
    const run = async (until: number): Promise<void> => {
      while (host.messages < until) await host.run(seed, session++, MESSAGES_A_SESSION);
    };
    // Everything that is made once is there after some of the sessions.
    await run(MESSAGES / 4);
    const before = objectsWith(host);
    await run(MESSAGES);
    expect(objectsWith(host) - before).toBeLessThan(LEFT_OBJECTS);
    expect(host.refusals).toBeGreaterThan(MESSAGES / 20);
    expect(host.streams).toBeGreaterThan(MESSAGES / 1_000);
    return `${host.messages} messages in process, ${host.streams} streams, ${host.refusals} violations answered`;
  });
}, 3_600_000);
