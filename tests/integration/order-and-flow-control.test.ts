import { describe, expect, setDefaultTimeout, test } from "bun:test";

import type { ServerEvent } from "../../src/protocol/events.ts";
import { concat, encode, freshSeed, noise, seeded, speech, voice } from "../support/audio.ts";
import { InProcessServer } from "../support/in-process-server.ts";
import { chunkInvariantEvents, expectExactLedger } from "../support/ledgers.ts";
import { S16_MONO } from "../support/requests.ts";
import { waitUntil } from "../support/wait.ts";
import type { WebSocketClient } from "../support/websocket-client.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

/** The statements of docs/protocol.md under "Order and flow control". */

const SIMPLE = { path: "/api/v1/simple" };

const isInterim = (event: ServerEvent): boolean => event.type === "segment" && event.is_final === false;

describe("finals of a channel, and errors in place of finals, come in the order of start_time", () => {
  test("with several channels, and several workers that vary in speed and fail", async () => {
    await using server = await InProcessServer.start({
      "model.workers": 4,
      "model.delay": 0.01,
      "model.jitter": 0.01,
      "model.failure_rate": 0.2,
      "model.panic_rate": 0.02,
      "model.seed": freshSeed(),
      "simple.block_ms": 100,
    });
    using client = await server.connect(SIMPLE);
    const channels = [1, 2, 3].map((seed) => noise(6, { seed }));
    client.start({ format: { ...S16_MONO, channels: 3 } });
    await client.sendInChunks(encode("s16", ...channels), () => 9_999);
    client.stop();
    await client.nextEvent("stopped");
    expectExactLedger(client.events, { bytes: 6 * 16_000 * 6, frameBytes: 6 });
    expect(client.eventsOf("error").length).toBeGreaterThan(0);
    for (const channel of [0, 1, 2]) {
      const starts = client.events.flatMap((event) =>
        (event.type === "segment" || event.type === "error") && event.channel === channel
          ? [event.start_time ?? -1]
          : [],
      );
      expect(starts).toEqual(Array.from({ length: 60 }, (_, n) => (n * 1_600) / 16_000));
    }
  });
});

describe("speech events do not wait for results", () => {
  test("those of later utterances come before the result of the first", async () => {
    await using server = await InProcessServer.start({ "model.delay": 5, "model.warmup_penalty": 0 });
    using client = await server.connect();
    client.start({ interim_results: true });
    await client.sendAudio(encode("s16", speech([0.6, 0.6, 0.6])));
    await client.nextEvent("inactive");
    await client.nextEvent("inactive");
    await client.nextEvent("inactive");
    expect(client.eventsOf("segment")).toEqual([]);
    expect(client.eventsOf("active")).toHaveLength(3);
  });

  test("an interim comes after the finals of earlier utterances and before its own final", async () => {
    await using server = await InProcessServer.start({
      "model.workers": 2,
      "model.delay": 0.02,
      "model.jitter": 0.02,
    });
    using client = await server.connect();
    client.start({ interim_results: true, interim_interval_ms: 100 });
    const spoken = encode("s16", speech([0.8, 0.6, 1.2, 0.5, 0.9]));
    for (let at = 0; at < spoken.length; at += 6_400) {
      await client.sendAudio(spoken.subarray(at, at + 6_400));
      // The audio arrives slower than the model works at times, and faster at others.
      await Bun.sleep(at % 5);
    }
    client.stop();
    await client.nextEvent("stopped");
    let finished = 0;
    for (const event of client.events) {
      if (event.type !== "segment") continue;
      expect(event.start_time).toBeGreaterThanOrEqual(finished);
      if (event.is_final === true) finished = event.end_time;
    }
    expect(client.eventsOf("segment").filter(({ is_final }) => is_final)).toHaveLength(5);
  });
});

describe("the pool has at most one interim of a channel, and prefers finals", () => {
  test("with one worker, a final does not wait for the interims of ten other clients", async () => {
    await using server = await InProcessServer.start({ "model.delay": 0.05, "limits.read_ahead_seconds": 60 });
    const others = await Promise.all(Array.from({ length: 10 }, () => server.connect()));
    for (const [n, client] of others.entries()) {
      client.start({ interim_results: true, interim_interval_ms: 100 });
      await client.sendAudio(encode("s16", concat(noise(0.5), voice(8, { seed: n }))));
    }
    await Promise.all(others.map((client) => client.nextEvent("active")));
    using client = await server.connect();
    await client.sendStream(encode("s16", speech([0.5])));
    // 80 interims were due. One of each channel may wait, and only those that ran before the final was queued were sent.
    expect(others.reduce((sum, each) => sum + each.events.filter(isInterim).length, 0)).toBeLessThanOrEqual(10);
  });
});

describe("the same bytes give the same finals, times and ledger, whatever their message boundaries and speed", () => {
  const streams: [name: string, path: string, bytes: Buffer, frameBytes: number, fields: object][] = [
    ["/simple", SIMPLE.path, encode("s16", speech([0.7])), 2, {}],
    ["/stateful", "/api/v1/stateful", encode("s16", speech([0.7])), 2, {}],
    [
      "/segmented with three channels and resampling",
      "/api/v1/segmented",
      encode("f32", ...[1, 2, 3].map((seed) => speech([0.5, 0.4], { rate: 11_025, seed }))),
      12,
      { format: { channels: 3, sample_rate: 11_025, bit_depth: 32, is_float: true } },
    ],
    [
      "/segmented with long utterances and upsampling",
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
    test(`in ${name} (seed ${seed})`, async () => {
      await using server = await InProcessServer.start({
        "model.workers": 2,
        "model.delay": 0.001,
        "limits.read_ahead_seconds": 0.5,
      });
      const random = seeded(seed);
      const flushes = [0.3, 0.55].map((share) => Math.floor(bytes.length * share));
      const runStream = async (size: () => number, paced: boolean): Promise<unknown> => {
        using client = await server.connect({ path });
        client.start(fields);
        let at = 0;
        for (const end of [...flushes, bytes.length]) {
          while (at < end) {
            const next = Math.min(end, at + size());
            await client.sendAudio(bytes.subarray(at, next));
            at = next;
            if (paced) await Bun.sleep(1);
          }
          if (end < bytes.length) client.flush();
        }
        client.stop();
        await client.nextEvent("stopped");
        expectExactLedger(client.events, { bytes: bytes.length, frameBytes });
        return chunkInvariantEvents(client.events);
      };
      const whole = await runStream(() => bytes.length, false);
      for (const size of [() => 3, () => 4_095, () => 1 + Math.floor(random() * 8_000)]) {
        expect(await runStream(size, false)).toEqual(whole);
      }
      expect(await runStream(() => 1 + Math.floor(random() * 8_000), true)).toEqual(whole);
    });
  }

  test("in messages of one byte", async () => {
    await using server = await InProcessServer.start();
    const bytes = encode("s16", speech([0.3])).subarray(0, 32_000);
    const results = [];
    for (const size of [32_000, 1]) {
      using client = await server.connect({ path: "/api/v1/segmented" });
      client.start();
      await client.sendInChunks(bytes, () => size);
      client.stop();
      await client.nextEvent("stopped");
      results.push(chunkInvariantEvents(client.events));
    }
    expect(results[1]).toEqual(results[0]!);
  });
});

describe("stopped is the last event, nothing is lost after stop, and the jobs of disconnected clients are cancelled", () => {
  test("all audio sent before a stop has its results before stopped, and no event of the stream follows", async () => {
    await using server = await InProcessServer.start({
      "model.workers": 2,
      "model.delay": 0.01,
      "model.jitter": 0.01,
    });
    const clients = await Promise.all(Array.from({ length: 10 }, () => server.connect(SIMPLE)));
    for (const [n, client] of clients.entries()) {
      client.start();
      await client.sendAudio(encode("s16", noise(1 + n / 7)));
      client.stop();
    }
    for (const [n, client] of clients.entries()) {
      await client.nextEvent("stopped");
      client.sendText({ request: "keep_alive" });
      client.stop();
      expect((await client.nextEvent("error")).code).toBe("no_stream");
      expectExactLedger(client.events, { bytes: 2 * Math.round(16_000 * (1 + n / 7)), frameBytes: 2 });
    }
  });

  test("queued jobs of a disconnected client are cancelled, and the next client does not wait for them", async () => {
    await using server = await InProcessServer.start({ "model.delay": 0.1, "limits.read_ahead_seconds": 100 });
    const gone = await server.connect(SIMPLE);
    gone.start();
    await gone.sendAudio(encode("s16", noise(30)));
    await gone.nextEvent("segment");
    gone.reset();
    await waitUntil("the session to be closed", () => server.sessions === 0);
    using client = await server.connect(SIMPLE);
    await client.sendStream(encode("s16", noise(0.1)));
    await waitUntil("all memory to be free", async () => (await server.info()).arena.used_slabs === 0);
    const [record] = server.logged("stream_stopped");
    expect(record?.["ledger"]).toEqual([expect.objectContaining({ received: 480_000, decoded: 480_000 })]);
  });

  test("a client that disconnects while its socket is paused is detected", async () => {
    await using server = await InProcessServer.start({
      "model.delay": 30,
      "model.warmup_penalty": 0,
      "limits.read_ahead_seconds": 1,
    });
    const gone = await server.connect(SIMPLE);
    gone.start();
    await gone.nextEvent("started");
    void gone.sendInChunks(Buffer.alloc(32_000_000), () => 100_000).catch(() => {});
    await waitUntil("the first ping, which the server sends to a paused client", () => gone.pings > 0);
    gone.reset();
    await waitUntil("the session to be closed", () => server.sessions === 0);
  });
});

describe("the server reads a limited amount ahead of the model, and never drops audio silently", () => {
  /** Sends a stream of so many seconds and returns the largest number of slabs in use meanwhile. */
  async function peakSlabs(server: InProcessServer, client: WebSocketClient, seconds: number): Promise<number> {
    let peak = 0;
    let sending = true;
    const sampling = (async () => {
      while (sending) {
        peak = Math.max(peak, (await server.info()).arena.used_slabs);
        await Bun.sleep(5);
      }
    })();
    await client.sendInChunks(encode("s16", noise(seconds)), () => 9_999);
    client.stop();
    await client.nextEvent("stopped");
    sending = false;
    await sampling;
    return peak;
  }

  test("a client that sends faster than the model works is slowed down, and loses nothing", async () => {
    await using server = await InProcessServer.start({
      "model.delay": 0.005,
      "limits.read_ahead_seconds": 1,
      "limits.inbox_bytes": 32_768,
    });
    using client = await server.connect(SIMPLE);
    client.start();
    // A block, the read-ahead, and an incomplete slab at each end.
    expect(await peakSlabs(server, client, 60)).toBeLessThanOrEqual(Math.ceil(24_000 / 4_096) + 2);
    expectExactLedger(client.events, { bytes: 1_920_000, frameBytes: 2 });
  });

  test("a start whose longest utterance exceeds the budget of a channel is refused", async () => {
    await using server = await InProcessServer.start({ "limits.channel_budget_seconds": 40 });
    using client = await server.connect();
    client.start({ vad: { max_utterance_ms: 39_900, pre_roll_ms: 100 } });
    expect(await client.nextEvent("error")).toMatchObject({ code: "invalid_request", param: "vad.max_utterance_ms" });
    client.start({ vad: { max_utterance_ms: 39_000, pre_roll_ms: 100 } });
    await client.nextEvent("started");
  });

  test("24 streams that share a memory of 1 MiB all get their results", async () => {
    await using server = await InProcessServer.start({
      "limits.arena_mb": 1,
      "model.workers": 2,
      "model.delay": 0.001,
    });
    const bytes = encode("s16", noise(8), noise(8));
    const paths = ["/api/v1/simple", "/api/v1/stateful"];
    const clients = await Promise.all(Array.from({ length: 24 }, (_, n) => server.connect({ path: paths[n % 2]! })));
    await Promise.all(
      clients.map(async (client) => {
        client.start({ format: { ...S16_MONO, channels: 2 } });
        await client.sendInChunks(bytes, () => 50_001);
        client.stop();
        await client.nextEvent("stopped");
        expectExactLedger(client.events, { bytes: bytes.length, frameBytes: 4 });
        expect(client.eventsOf("error")).toEqual([]);
      }),
    );
    for (const client of clients) client.sendClose();
    await server.waitUntilIdle();
  });

  test("a stream of many channels is ended at limits.session_share, and another one does not notice", async () => {
    // Half of it are four seconds of 16 channels.
    await using server = await InProcessServer.start({ "limits.arena_mb": 8, "limits.session_share": 0.5 });
    const [large, small] = await Promise.all([server.connect(), server.connect()]);
    large.start({ format: { ...S16_MONO, channels: 16 }, vad: { max_utterance_ms: 120_000 } });
    small.start();
    await Promise.all([large.nextEvent("started"), small.nextEvent("started")]);
    const all = Array.from({ length: 16 }, (_, n) => concat(noise(0.5), voice(8, { seed: n })));
    void large.sendInChunks(encode("s16", ...all), () => 64_000);
    expect(await large.waitForClose()).toEqual({ code: 1013, reason: "overloaded" });
    expect(large.events.at(-2)).toMatchObject({
      type: "error",
      code: "overloaded",
      message: "this stream has used up its share of the server's memory for audio",
    });
    expectExactLedger(large.events);
    const speech = encode("s16", concat(noise(0.5), voice(3), noise(1)));
    await small.sendInChunks(speech, () => 32_000);
    small.stop();
    await small.nextEvent("stopped");
    expectExactLedger(small.events, { bytes: speech.length, frameBytes: 2 });
    expect(small.eventsOf("error")).toEqual([]);
  });

  test("when open utterances fill the memory, the stream that holds most gets overloaded, and the others all results", async () => {
    await using server = await InProcessServer.start({ "limits.arena_mb": 1 });
    const vad = { max_utterance_ms: 120_000, min_silence_ms: 5_000 };
    const sizes = [3, 4, 15];
    const clients = await Promise.all(sizes.map(() => server.connect()));
    for (const [n, client] of clients.entries()) {
      client.start({ vad });
      await client.nextEvent("started");
      void client.sendInChunks(encode("s16", concat(noise(0.5), voice(sizes[n]!, { seed: n }))), () => 32_000);
      await client.nextEvent("active");
    }
    const [small, middle, large] = clients;
    expect(await large!.waitForClose()).toEqual({ code: 1013, reason: "overloaded" });
    expect(large!.events.slice(-2)).toMatchObject([
      { type: "error", code: "overloaded", fatal: true, retryable: true, channel: 0 },
      { type: "stopped", reason: "error" },
    ]);
    expectExactLedger(large!.events);
    for (const [n, client] of [small!, middle!].entries()) {
      client.stop();
      await client.nextEvent("stopped");
      const sent = { bytes: 2 * 16_000 * (0.5 + sizes[n]!), frameBytes: 2 };
      expectExactLedger(client.events, sent);
      expect(client.eventsOf("error")).toEqual([]);
      client.sendClose();
    }
    await server.waitUntilIdle();
  });
});
