import { describe, expect, setDefaultTimeout, test } from "bun:test";

import type { ServerEvent } from "../../src/protocol/events.ts";
import { concat, encode, freshSeed, noise, seeded, speech, voice } from "../support/audio.ts";
import { Running } from "../support/in-process.ts";
import { invariant, problemsOf, streamsOf } from "../support/ledgers.ts";
import { type Peer, S16_MONO } from "../support/peer.ts";
import { waitUntil } from "../support/wait.ts";

// Many times what any of these takes: a busy machine is not a fault.
setDefaultTimeout(120_000);

/** "Order and timing guarantees" of the protocol page, by their numbers. */

const SIMPLE = { path: "/api/v1/simple" };

const isInterim = (event: ServerEvent): boolean => event.type === "segment" && event.is_final === false;

describe("guarantee 1: per channel, finals and errors in a final's place come in order of start_time", () => {
  test("with several workers of uneven speed, failures and several channels", async () => {
    await using running = await Running.start({
      "model.workers": 4,
      "model.delay": 0.01,
      "model.jitter": 0.01,
      "model.failure_rate": 0.2,
      "model.panic_rate": 0.02,
      "model.seed": freshSeed(),
      "simple.block_ms": 100,
    });
    using peer = await running.connect(SIMPLE);
    const channels = [1, 2, 3].map((seed) => noise(6, { seed }));
    peer.start({ format: { ...S16_MONO, channels: 3 } });
    await peer.cut(encode("s16", ...channels), () => 9_999);
    peer.stop();
    await peer.next("stopped");
    const [stream] = streamsOf(peer.events);
    // Also checks that no span begins before the one before it ends.
    expect(problemsOf(stream!, { bytes: 6 * 16_000 * 6, frameBytes: 6 })).toEqual([]);
    expect(peer.all("error").length).toBeGreaterThan(0);
    for (const channel of [0, 1, 2]) {
      const starts = peer.events.flatMap((event) =>
        (event.type === "segment" || event.type === "error") && event.channel === channel
          ? [event.start_time ?? -1]
          : [],
      );
      expect(starts).toEqual(Array.from({ length: 60 }, (_, n) => (n * 1_600) / 16_000));
    }
  });
});

describe("guarantee 2: speech events wait for nothing but back-pressure", () => {
  test("those of later utterances come while the first one's result is still owed", async () => {
    await using running = await Running.start({ "model.delay": 5, "model.warmup_penalty": 0 });
    using peer = await running.connect();
    peer.start({ interim_results: true });
    await peer.audio(encode("s16", speech([0.6, 0.6, 0.6])));
    await peer.next("inactive");
    await peer.next("inactive");
    await peer.next("inactive");
    expect(peer.all("segment")).toEqual([]);
    expect(peer.all("active")).toHaveLength(3);
  });

  test("an interim never comes before an earlier utterance's final, nor behind its own", async () => {
    await using running = await Running.start({ "model.workers": 2, "model.delay": 0.02, "model.jitter": 0.02 });
    using peer = await running.connect();
    peer.start({ interim_results: true, interim_interval_ms: 100 });
    const spoken = encode("s16", speech([0.8, 0.6, 1.2, 0.5, 0.9]));
    for (let at = 0; at < spoken.length; at += 6_400) {
      await peer.audio(spoken.subarray(at, at + 6_400));
      // Slower than the model at times and faster at others.
      await Bun.sleep(at % 5);
    }
    peer.stop();
    await peer.next("stopped");
    let finished = 0;
    for (const event of peer.events) {
      if (event.type !== "segment") continue;
      expect(event.start_time).toBeGreaterThanOrEqual(finished);
      if (event.is_final === true) finished = event.end_time;
    }
    expect(peer.all("segment").filter(({ is_final }) => is_final)).toHaveLength(5);
  });
});

describe("guarantee 3: at most one interim per channel is in the pool, and none goes before a waiting final", () => {
  test("with one worker, a flood of interims of others does not keep a final waiting", async () => {
    await using running = await Running.start({ "model.delay": 0.05, "limits.read_ahead_seconds": 60 });
    const chatter = await Promise.all(Array.from({ length: 10 }, () => running.connect()));
    for (const [n, peer] of chatter.entries()) {
      peer.start({ interim_results: true, interim_interval_ms: 100 });
      await peer.audio(encode("s16", concat(noise(0.5), voice(8, { seed: n }))));
    }
    await Promise.all(chatter.map((peer) => peer.next("active")));
    using peer = await running.connect();
    peer.start();
    await peer.audio(encode("s16", speech([0.5])));
    peer.stop();
    await peer.next("stopped");
    // Eighty were due, ten may wait; before the final there was time for the one that ran, and those before it came.
    expect(chatter.reduce((sum, each) => sum + each.events.filter(isInterim).length, 0)).toBeLessThanOrEqual(10);
  });
});

describe("guarantee 4: the same bytes give the same finals, times and ledger, however they are cut and paced", () => {
  const streams: [name: string, path: string, bytes: Buffer, frameBytes: number, fields: object][] = [
    ["simple", SIMPLE.path, encode("s16", speech([0.7])), 2, {}],
    ["stateful", "/api/v1/stateful", encode("s16", speech([0.7])), 2, {}],
    [
      "segmented, three channels, resampled",
      "/api/v1/segmented",
      encode("f32", ...[1, 2, 3].map((seed) => speech([0.5, 0.4], { rate: 11_025, seed }))),
      12,
      { format: { channels: 3, sample_rate: 11_025, bit_depth: 32, is_float: true } },
    ],
    [
      "segmented, long utterances, upsampled",
      "/api/v1/segmented",
      encode("mulaw", concat(noise(0.5, { rate: 8_000 }), voice(5, { rate: 8_000 }))),
      1,
      {
        format: { channels: 1, sample_rate: 8_000, bit_depth: 8, is_float: false, encoding: "mulaw" },
        vad: { max_utterance_ms: 1_500 },
      },
    ],
  ];
  for (const [name, path, bytes, frameBytes, fields] of streams) {
    const seed = freshSeed();
    test(`${name} (seed ${seed})`, async () => {
      await using running = await Running.start({
        "model.workers": 2,
        "model.delay": 0.001,
        "limits.read_ahead_seconds": 0.5,
      });
      const random = seeded(seed);
      const flushes = [0.3, 0.55].map((share) => Math.floor(bytes.length * share));
      const run = async (size: () => number, paced: boolean): Promise<unknown> => {
        using peer = await running.connect({ path });
        peer.start(fields);
        let at = 0;
        for (const end of [...flushes, bytes.length]) {
          while (at < end) {
            const next = Math.min(end, at + size());
            await peer.audio(bytes.subarray(at, next));
            at = next;
            if (paced) await Bun.sleep(1);
          }
          if (end < bytes.length) peer.say({ request: "flush" });
        }
        peer.stop();
        await peer.next("stopped");
        expect(problemsOf(streamsOf(peer.events)[0]!, { bytes: bytes.length, frameBytes })).toEqual([]);
        return invariant(peer.events);
      };
      const whole = await run(() => bytes.length, false);
      for (const size of [() => 3, () => 4_095, () => 1 + Math.floor(random() * 8_000)]) {
        expect(await run(size, false)).toEqual(whole);
      }
      expect(await run(() => 1 + Math.floor(random() * 8_000), true)).toEqual(whole);
    });
  }

  test("a byte at a time", async () => {
    await using running = await Running.start();
    const bytes = encode("s16", speech([0.3])).subarray(0, 32_000);
    const told = [];
    for (const size of [32_000, 1]) {
      using peer = await running.connect({ path: "/api/v1/segmented" });
      peer.start();
      await peer.cut(bytes, () => size);
      peer.stop();
      await peer.next("stopped");
      told.push(invariant(peer.events));
    }
    expect(told[1]).toEqual(told[0]!);
  });
});

describe("guarantee 5: stopped is the last event, nothing is lost after stop, and work for clients that are gone is cancelled", () => {
  test("everything sent before a stop is answered before stopped, and nothing of the stream comes behind it", async () => {
    await using running = await Running.start({ "model.workers": 2, "model.delay": 0.01, "model.jitter": 0.01 });
    const peers = await Promise.all(Array.from({ length: 10 }, () => running.connect(SIMPLE)));
    for (const [n, peer] of peers.entries()) {
      peer.start();
      await peer.audio(encode("s16", noise(1 + n / 7)));
      peer.stop();
    }
    for (const [n, peer] of peers.entries()) {
      await peer.next("stopped");
      peer.say({ request: "keep_alive" });
      peer.stop();
      expect((await peer.next("error")).code).toBe("no_stream");
      const [stream] = streamsOf(peer.events);
      expect(problemsOf(stream!, { bytes: 2 * Math.round(16_000 * (1 + n / 7)), frameBytes: 2 })).toEqual([]);
    }
  });

  test("queued jobs of a disconnected client are cancelled: the next client does not wait for them", async () => {
    await using running = await Running.start({ "model.delay": 0.1, "limits.read_ahead_seconds": 100 });
    const gone = await running.connect(SIMPLE);
    gone.start();
    await gone.audio(encode("s16", noise(30)));
    await gone.next("segment");
    gone.reset();
    await waitUntil("the server has seen it", () => running.server.sessions === 0);
    using peer = await running.connect(SIMPLE);
    peer.start();
    await peer.audio(encode("s16", noise(0.1)));
    peer.stop();
    await peer.next("stopped");
    await waitUntil("the memory is free", async () => (await running.info()).arena.used_slabs === 0);
    const [record] = running.logged("stream_stopped");
    expect(record?.["ledger"]).toEqual([expect.objectContaining({ received: 480_000, decoded: 480_000 })]);
  });

  test("a client that disconnects while its socket is paused is noticed", async () => {
    await using running = await Running.start({
      "model.delay": 30,
      "model.warmup_penalty": 0,
      "limits.read_ahead_seconds": 1,
    });
    const gone = await running.connect(SIMPLE);
    gone.start();
    await gone.next("started");
    void gone.cut(Buffer.alloc(32_000_000), () => 100_000).catch(() => {});
    await waitUntil("the socket is paused", () => gone.pings > 0);
    gone.reset();
    await waitUntil("the server has seen it", () => running.server.sessions === 0);
  });
});

describe("guarantee 6: no further ahead of the model than the budget, and audio is never dropped silently", () => {
  /** The most slabs that were in use while `peer` sent so much. */
  async function flood(running: Running, peer: Peer, seconds: number): Promise<number> {
    let most = 0;
    let sending = true;
    const watch = (async () => {
      while (sending) {
        most = Math.max(most, (await running.info()).arena.used_slabs);
        await Bun.sleep(5);
      }
    })();
    await peer.cut(encode("s16", noise(seconds)), () => 9_999);
    peer.stop();
    await peer.next("stopped");
    sending = false;
    await watch;
    return most;
  }

  test("a fast sender into a slow model is held back by its channel's budget, and loses nothing", async () => {
    await using running = await Running.start({
      "model.delay": 0.005,
      "limits.read_ahead_seconds": 1,
      "limits.inbox_bytes": 32_768,
    });
    using peer = await running.connect(SIMPLE);
    peer.start();
    // A block, the read-ahead, and slabs that are not full at either end.
    expect(await flood(running, peer, 60)).toBeLessThanOrEqual(Math.ceil(24_000 / 4_096) + 2);
    expect(problemsOf(streamsOf(peer.events)[0]!, { bytes: 1_920_000, frameBytes: 2 })).toEqual([]);
  });

  test("a start whose utterances could not fit into the budget is refused", async () => {
    await using running = await Running.start({ "limits.channel_budget_seconds": 40 });
    using peer = await running.connect();
    peer.start({ vad: { max_utterance_ms: 39_900, pre_roll_ms: 100 } });
    expect(await peer.next("error")).toMatchObject({ code: "invalid_request", param: "vad.max_utterance_ms" });
    peer.start({ vad: { max_utterance_ms: 39_000, pre_roll_ms: 100 } });
    await peer.next("started");
  });

  test("a full memory never deadlocks: many streams through a tiny one all end whole", async () => {
    await using running = await Running.start({ "limits.arena_mb": 1, "model.workers": 2, "model.delay": 0.001 });
    const bytes = encode("s16", noise(8), noise(8));
    const paths = ["/api/v1/simple", "/api/v1/stateful"];
    const peers = await Promise.all(Array.from({ length: 24 }, (_, n) => running.connect({ path: paths[n % 2]! })));
    await Promise.all(
      peers.map(async (peer) => {
        peer.start({ format: { ...S16_MONO, channels: 2 } });
        await peer.cut(bytes, () => 50_001);
        peer.stop();
        await peer.next("stopped");
        expect(problemsOf(streamsOf(peer.events)[0]!, { bytes: bytes.length, frameBytes: 4 })).toEqual([]);
        expect(peer.all("error")).toEqual([]);
      }),
    );
    for (const peer of peers) peer.leave();
    await running.settled();
  });

  test("when only open utterances fill it, the stream that holds most ends with its bounds, and the others end whole", async () => {
    await using running = await Running.start({ "limits.arena_mb": 1 });
    const vad = { max_utterance_ms: 120_000, min_silence_ms: 5_000 };
    const sizes = [3, 4, 15];
    const peers = await Promise.all(sizes.map(() => running.connect()));
    for (const [n, peer] of peers.entries()) {
      peer.start({ vad });
      await peer.next("started");
      void peer.cut(encode("s16", concat(noise(0.5), voice(sizes[n]!, { seed: n }))), () => 32_000);
      await peer.next("active");
    }
    const [small, middle, large] = peers;
    expect(await large!.close()).toEqual({ code: 1013, reason: "overloaded" });
    expect(large!.events.slice(-2)).toMatchObject([
      { type: "error", code: "overloaded", fatal: true, retryable: true, channel: 0 },
      { type: "stopped", reason: "error" },
    ]);
    expect(problemsOf(streamsOf(large!.events)[0]!)).toEqual([]);
    for (const [n, peer] of [small!, middle!].entries()) {
      peer.stop();
      await peer.next("stopped");
      const sent = { bytes: 2 * 16_000 * (0.5 + sizes[n]!), frameBytes: 2 };
      expect(problemsOf(streamsOf(peer.events)[0]!, sent)).toEqual([]);
      expect(peer.all("error")).toEqual([]);
      peer.leave();
    }
    await running.settled();
  });
});
