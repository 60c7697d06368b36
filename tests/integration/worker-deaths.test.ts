import { describe, expect, setDefaultTimeout, test } from "bun:test";

import { encode, freshSeed, speech } from "../support/audio.ts";
import { InProcessServer } from "../support/in-process-server.ts";
import { expectExactLedger } from "../support/ledgers.ts";
import { checkMixedStreams } from "../support/mixed-streams.ts";

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
    // A call takes from 0 to 100 ms, and times out after 75 ms.
    await using server = await InProcessServer.start({
      "model.workers": 2,
      "model.delay": 0.05,
      "model.jitter": 0.05,
      "model.warmup_penalty": 0,
      "model.inference_timeout_ms": 75,
      "model.seed": 3,
    });
    const codes = new Set<string>();
    let segments = 0;
    await Promise.all(
      Array.from({ length: 6 }, async (_, n) => {
        using client = await server.connect({ path: "/api/v1/simple" });
        const bytes = encode("s16", speech([1], { seed: n }));
        await client.sendStream(bytes);
        expectExactLedger(client.events, { bytes: bytes.length, frameBytes: 2 });
        for (const { code } of client.eventsOf("error")) codes.add(code);
        segments += client.eventsOf("segment").length;
      }),
    );
    expect([...codes]).toEqual(["inference_timeout"]);
    expect(segments).toBeGreaterThan(0);
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
