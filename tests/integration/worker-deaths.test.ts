import { describe, expect, setDefaultTimeout, test } from "bun:test";

import { encode, freshSeed, speech } from "../support/audio.ts";
import { Running } from "../support/in-process.ts";
import { problemsOf, streamsOf } from "../support/ledgers.ts";
import { checkMixedStreams } from "../support/mixed-streams.ts";

// Many times what any of these takes: a busy machine is not a fault.
setDefaultTimeout(120_000);

describe("workers that die and fail", () => {
  const seed = freshSeed();

  test(`40 streams of different formats and cuts through 2 workers: every ledger adds up, every failed span is named (seed ${seed})`, async () => {
    const { segments, errors } = await checkMixedStreams(40, seed);
    expect(segments).toBeGreaterThan(100);
    expect(errors).toBeGreaterThan(0);
  }, 120_000);

  test("a worker that hangs is replaced: its span is named, the stream goes on, others too", async () => {
    // Every call takes 0 to 2 times 50 ms; those beyond 75 ms are taken for hung.
    await using running = await Running.start({
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
        using peer = await running.connect({ path: "/api/v1/simple" });
        const bytes = encode("s16", speech([1], { seed: n }));
        peer.start();
        await peer.audio(bytes);
        peer.stop();
        await peer.next("stopped");
        expect(problemsOf(streamsOf(peer.events)[0]!, { bytes: bytes.length, frameBytes: 2 })).toEqual([]);
        for (const { code } of peer.all("error")) codes.add(code);
        segments += peer.all("segment").length;
      }),
    );
    expect([...codes]).toEqual(["inference_timeout"]);
    expect(segments).toBeGreaterThan(0);
    await running.settled();
  });

  test("a client that vanishes while its call hangs gives its memory back when the worker is replaced", async () => {
    await using running = await Running.start({
      "model.delay": 60,
      "model.warmup_penalty": 0,
      "model.inference_timeout_ms": 300,
    });
    const peer = await running.connect({ path: "/api/v1/simple" });
    peer.start();
    await peer.audio(encode("s16", speech([1])));
    await peer.next("started");
    peer.reset();
    await running.settled();
  });
});
