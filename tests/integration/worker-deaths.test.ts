import { describe, expect, setDefaultTimeout, test } from "bun:test";

import { encode, freshSeed, speech } from "../support/audio.ts";
import { InProcessServer } from "../support/in-process-server.ts";
import { expectExactLedger } from "../support/ledgers.ts";
import { checkMixedStreams } from "../support/mixed-streams.ts";
import { ORDERS } from "../support/models/puppet.ts";
import { modelPath } from "../support/pool-harness.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

describe("workers that die, fail or hang", () => {
  const seed = freshSeed();

  test(`the ledgers of 40 streams through 2 workers are exact, and every failed span has an error (seed ${seed})`, async () => {
    const { segments, errors } = await checkMixedStreams(40, seed);
    expect(segments).toBeGreaterThan(100);
    expect(errors).toBeGreaterThan(0);
  }, 120_000);

  test("a worker that hangs is replaced: its span gets an error, and all streams continue", async () => {
    await using server = await InProcessServer.start({
      "model.name": modelPath("puppet"),
      "model.workers": 2,
      // Far longer than a call that does not hang takes, even on a busy machine.
      "model.inference_timeout_ms": 3_000,
      "simple.block_ms": 20,
    });
    const format = { channels: 1, sample_rate: 16_000, bit_depth: 32, is_float: true };
    const samples = new Float32Array(5 * 320);
    samples[320] = ORDERS.hang;
    await Promise.all(
      Array.from({ length: 4 }, async () => {
        using client = await server.connect({ path: "/api/v1/simple" });
        await client.sendStream(new Uint8Array(samples.buffer), { format });
        expectExactLedger(client.events, { bytes: 4 * samples.length, frameBytes: 4 });
        const failed = client.eventsOf("error").map(({ code, start_time }) => [code, start_time]);
        expect(failed).toEqual([["inference_timeout", 0.02]]);
        expect(client.eventsOf("segment").map(({ start_time }) => start_time)).toEqual([0, 0.04, 0.06, 0.08]);
      }),
    );
    await server.waitUntilIdle();
  });

  test("the memory of a client that disconnects during a call that hangs is freed when the worker is replaced", async () => {
    await using server = await InProcessServer.start({
      "model.delay": 60,
      "model.warmup_penalty": 0,
      "model.inference_timeout_ms": 300,
    });
    const client = await server.connect({ path: "/api/v1/simple" });
    client.start();
    await client.sendAudio(encode("s16", speech([1])));
    await client.nextEvent("started");
    client.reset();
    await server.waitUntilIdle();
  });
});
