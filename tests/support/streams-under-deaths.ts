import { expect, test } from "bun:test";

import { BUILT_IN } from "../../src/model/models.ts";
import { PATTERNS } from "../../src/pipeline/patterns.ts";
import { encode, freshSeed, sampleFields, seeded, speech } from "./audio.ts";
import { InProcessServer } from "./in-process-server.ts";
import { expectExactLedger } from "./ledgers.ts";
import { modelPath } from "./pool-harness.ts";

/** So long that a round is not over long after its deaths: each costs the start of a worker. */
const BLOCK_MS = 400;

const pairs = Object.values(PATTERNS).flatMap((pattern) => [
  ...[...BUILT_IN.values()]
    // Its engines die in tests of its own.
    .filter(({ name, stateful }) => name !== "remote" && (pattern.keepsState || !stateful))
    .map(({ name }) => ({ pattern: pattern.name, model: name })),
  ...(pattern.takesPinned === true ? [{ pattern: pattern.name, model: "pinned" }] : []),
]);

/** Sends one stream in chunks of random sizes. Returns the number of spans that failed because a worker died. */
async function sendStream(server: InProcessServer, pattern: string, model: string, seed: number): Promise<number> {
  const next = seeded(seed);
  const bytes = encode("s16", speech([0.2, 0.4, 0.2, 0.3, 0.2 + 0.2 * next()], { rate: 16_000, seed }));
  const client = await server.connect({ path: `/api/v1/${pattern}` });
  client.start({ format: { channels: 1, sample_rate: 16_000, ...sampleFields("s16") } });
  await client.sendInChunks(bytes, () => 1 + Math.floor(next() * 10_000));
  client.stop({ disconnect: true });
  expect(await client.waitForClose()).toEqual({ code: 1000, reason: "stop" });
  const sent = { bytes: bytes.length, frameBytes: 2, someUnanswered: BUILT_IN.get(model)?.stateful === true };
  expectExactLedger(client.events, sent);
  // Half of all calls are deaths: now and then all workers have so many in a row that the model counts as of no use.
  const deaths = ["worker_crashed", "inference_timeout", "model_unavailable"];
  for (const error of client.eventsOf("error")) expect(error.code).toBeOneOf(deaths);
  if (model === "pinned" && pattern === "segmented") {
    for (const segment of client.eventsOf("segment")) {
      // No result has audio that its stream has not heard.
      expect(segment["samples"]).toBe(Math.round((segment.end_time - segment.start_time) * 16_000));
    }
  }
  return client.eventsOf("error").length;
}

/**
 * Defines a test for each pattern and model. Each sends `streams` at a time, until the tests together have
 * seen this many deaths of workers. A round of 8 streams costs about 50 deaths on the patterns that cut audio into
 * blocks.
 */
export function testStreamsUnderDeaths(deaths: number, streams: number): void {
  const quota = Math.ceil(deaths / pairs.length);
  const seed = freshSeed();
  test.each(pairs)(
    `nothing is lost under ${quota} deaths of workers: $model on /api/v1/$pattern (seed ${seed})`,
    async ({ pattern, model }) => {
      await using server = await InProcessServer.start({
        "model.name": modelPath("mortal"),
        "model.workers": 2,
        "model.inner": model,
        "model.seed": seed,
        "model.rate": 0.5,
        // A thread may hang while it dies (once in some thousands of deaths, Bun 1.4.5). It is replaced after this time.
        "model.inference_timeout_ms": 3_000,
        "simple.block_ms": BLOCK_MS,
        "stateful.block_ms": BLOCK_MS,
      });
      let died = 0;
      for (let round = 0; died < quota; round++) {
        const seeds = Array.from({ length: streams }, (_, n) => seed + round * streams + n);
        const failed = await Promise.all(seeds.map((each) => sendStream(server, pattern, model, each)));
        died += failed.reduce((sum, spans) => sum + spans, 0);
      }
      await server.waitUntilIdle();
    },
    300_000,
  );
}
