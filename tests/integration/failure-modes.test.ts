import { describe, expect, setDefaultTimeout, test } from "bun:test";

import { concat, encode, noise, seeded, speech, voice, wav } from "../support/audio.ts";
import { frames } from "../support/foreign-audio.ts";
import { InProcessServer, sharedServer } from "../support/in-process-server.ts";
import { chunkInvariantEvents, expectExactLedger } from "../support/ledgers.ts";
import { S16_MONO } from "../support/requests.ts";
import type { WebSocketClient } from "../support/websocket-client.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

/** Failure modes of streaming speech servers, and tests that show that this server does not have them. */

const SIMPLE = { path: "/api/v1/simple" };
const SEGMENTED = { path: "/api/v1/segmented" };

const shared = await sharedServer({ "model.workers": 2 });

/**
 * Sends a stream on a new connection, by default to /segmented of the shared server and in messages of 100 ms, and waits
 * for the close. Expects an exact ledger.
 */
async function sendStream(
  bytes: Uint8Array,
  options: { path?: string; fields?: object; size?: () => number; frameBytes?: number; server?: InProcessServer } = {},
): Promise<WebSocketClient> {
  const client = await (options.server ?? shared).connect({ path: options.path ?? SEGMENTED.path });
  client.start(options.fields);
  await client.sendInChunks(bytes, options.size ?? (() => 3_200));
  client.stop({ disconnect: true });
  expect(await client.waitForClose()).toEqual({ code: 1000, reason: "stop" });
  expectExactLedger(client.events, { bytes: bytes.length, frameBytes: options.frameBytes ?? 2 });
  return client;
}

describe("the end of the audio is not lost at a stop", () => {
  test("the result of an utterance that the stop ends covers its last sample", async () => {
    const spoken = concat(noise(0.8), voice(1.23));
    const client = await sendStream(encode("s16", spoken));
    const [segment, ...more] = client.eventsOf("segment");
    expect(more).toEqual([]);
    expect(segment?.end_time).toBe(spoken.length / 16_000);
    expect(client.events.slice(-3).map(({ type }) => type)).toEqual(["inactive", "segment", "stopped"]);
  });

  test("samples that the resampler holds and an incomplete block have results", async () => {
    const bytes = encode("s16", noise(1.2345, { rate: 44_100 }));
    const client = await sendStream(bytes, { ...SIMPLE, fields: { format: { ...S16_MONO, sample_rate: 44_100 } } });
    expect(client.eventsOf("segment").at(-1)?.end_time).toBe(Math.round((bytes.length / 2 / 44_100) * 16_000) / 16_000);
  });

  test("the results of a slow model come before the close", async () => {
    await using slow = await InProcessServer.start({ "model.delay": 0.1 });
    const client = await sendStream(encode("s16", noise(3)), { ...SIMPLE, server: slow });
    expect(client.eventsOf("segment")).toHaveLength(6);
  });
});

describe("a client knows when it has all results", () => {
  test("stopped is the last event of a stream, and its ledger is exact", async () => {
    const client = await sendStream(encode("s16", speech([0.6, 0.9])));
    expect(client.events.at(-1)?.type).toBe("stopped");
    expect(client.eventsOf("stopped")).toHaveLength(1);
  });

  test("flushed follows all results of audio before the flush", async () => {
    using client = await shared.connect(SIMPLE);
    client.start();
    await client.sendAudio(encode("s16", noise(1.7)));
    client.flush();
    const { time } = await client.nextEvent("flushed");
    expect(client.eventsOf("segment").at(-1)?.end_time).toBe(time);
    expect(time).toBe(1.7);
  });
});

describe("clients do not disturb each other", () => {
  test("results are the same beside clients that send too much, send invalid messages, and disconnect", async () => {
    const spoken = encode("s16", speech([0.7, 1.1, 0.5]));
    await using server = await InProcessServer.start({
      "model.workers": 2,
      "limits.read_ahead_seconds": 1,
      "model.delay": 0.002,
    });
    const alone = await sendStream(spoken, { server });
    const stop = new AbortController();
    const repeat = async (disturb: (client: WebSocketClient) => Promise<void>): Promise<void> => {
      while (!stop.signal.aborted) {
        using client = await server.connect(SIMPLE);
        // The server ends some of these connections.
        await disturb(client).catch(() => {});
      }
    };
    const others = Promise.all([
      repeat(async (client) => {
        client.start();
        await client.sendInChunks(Buffer.alloc(500_000, 7), () => 50_000);
      }),
      repeat(async (client) => {
        client.sendText("no JSON");
        await client.sendAudio(Buffer.alloc(2_000_000));
      }),
      repeat(async (client) => {
        client.start({ format: { channels: 16, sample_rate: 384_000, bit_depth: 64, is_float: true } });
        await client.sendAudio(Buffer.alloc(1_000_000, 0x55));
        client.reset();
      }),
    ]);
    for (let i = 0; i < 3; i++) {
      const beside = await sendStream(spoken, { server, size: () => 1_111 });
      expect(chunkInvariantEvents(beside.events)).toEqual(chunkInvariantEvents(alone.events));
    }
    stop.abort();
    await others;
    await server.waitUntilIdle();
  });

  test("streams take turns: one with few jobs does not wait for all jobs of another", async () => {
    await using server = await InProcessServer.start({ "model.delay": 0.02, "limits.read_ahead_seconds": 100 });
    const greedy = await server.connect(SIMPLE);
    greedy.start();
    await greedy.sendInChunks(encode("s16", noise(40)), () => 100_000);
    await greedy.nextEvent("segment");
    await sendStream(encode("s16", noise(0.4)), { ...SIMPLE, server });
    expect(greedy.eventsOf("segment").length).toBeLessThan(40);
  });
});

describe("latency is bounded under load", () => {
  test("the lag that timing reports is at most the read-ahead and a block", async () => {
    await using slow = await InProcessServer.start({
      "model.delay": 0.02,
      "limits.read_ahead_seconds": 1,
      "limits.inbox_bytes": 16_000,
    });
    using client = await slow.connect(SIMPLE);
    client.start({ timing: true });
    await client.sendInChunks(encode("s16", noise(20)), () => 3_200);
    client.stop();
    await client.nextEvent("stopped");
    const lags = client.eventsOf("segment").map(({ timing }) => timing?.lag_ms ?? Number.NaN);
    expect(Math.max(...lags)).toBeLessThanOrEqual(1_500);
    expect(Math.max(...lags)).toBeGreaterThan(0);
  });

  test("a full server refuses the upgrade", async () => {
    await using full = await InProcessServer.start({ "limits.max_sessions": 1 });
    await full.connect();
    await expect(full.connect()).rejects.toMatchObject({ status: 503 });
  });
});

describe("memory does not grow with the audio or the number of streams", () => {
  test("a long silence needs no more audio memory than a short one", async () => {
    await using quiet = await InProcessServer.start({ "limits.arena_mb": 1 });
    using client = await quiet.connect();
    client.start();
    // 15 times the audio that the arena can hold.
    for (let i = 0; i < 16; i++) {
      await client.sendAudio(encode("s16", noise(16, { seed: i })));
      client.flush();
      await client.nextEvent("flushed");
      expect((await quiet.info()).arena.used_slabs).toBeLessThanOrEqual(3);
    }
    client.stop();
    expect((await client.nextEvent("stopped")).channels[0]).toMatchObject({ silent: 16 * 256_000, segments: 0 });
  });

  test("memory does not grow over thousands of streams", async () => {
    await using server = await InProcessServer.start();
    using client = await server.connect(SIMPLE);
    const bytes = encode("s16", noise(0.5));
    const runStreams = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) {
        client.start();
        void client.sendAudio(bytes);
        client.stop();
        await client.nextEvent("stopped");
        client.clearMessages();
      }
      Bun.gc(true);
    };
    await runStreams(300);
    const before = process.memoryUsage.rss();
    await runStreams(2_000);
    expect((process.memoryUsage.rss() - before) / 2 ** 20).toBeLessThan(32);
    expect((await server.info()).arena.used_slabs).toBe(0);
  });
});

describe("a chunk may end within a sample", () => {
  test("any chunk sizes give the same finals, times and ledger", async () => {
    const format = { channels: 2, sample_rate: 22_050, bit_depth: 24, is_float: false };
    const bytes = encode("s24", speech([0.6], { rate: 22_050 }), speech([0.4, 0.3], { rate: 22_050, seed: 9 }));
    const random = seeded(bytes.length);
    const sizes = [() => bytes.length, () => 1_001, () => 7, () => 1 + Math.floor(random() * 5_000)];
    const results = [];
    for (const size of sizes) {
      results.push(chunkInvariantEvents((await sendStream(bytes, { fields: { format }, size, frameBytes: 6 })).events));
    }
    for (const each of results) expect(each).toEqual(results[0]!);
  });

  test("bytes of an incomplete frame at the end are reported as trailing_bytes", async () => {
    const client = await sendStream(encode("s16", noise(0.5)).subarray(1), { ...SIMPLE, size: () => 999 });
    expect(client.eventsOf("stopped")[0]).toMatchObject({ trailing_bytes: 1, channels: [{ received: 7_999 }] });
  });
});

describe("the resampler neither inserts silence nor loses the end of the audio", () => {
  test("results are those of a single message at unusual sample rates and chunk sizes", async () => {
    for (const rate of [11_025, 12_345, 47_999, 383_987]) {
      const format = { ...S16_MONO, sample_rate: rate };
      const bytes = encode("s16", speech([0.5], { rate }));
      const whole = await sendStream(bytes, { fields: { format }, size: () => 1_048_576 });
      for (const size of [311, 65_537, 262_143]) {
        const chunked = await sendStream(bytes, { fields: { format }, size: () => size });
        expect(chunkInvariantEvents(chunked.events)).toEqual(chunkInvariantEvents(whole.events));
      }
      expect(whole.eventsOf("segment")).toHaveLength(1);
    }
  });
});

describe("a WAV header is not decoded as audio", () => {
  const data = encode("s16", speech([0.5]));

  test("a header of the format of the start is skipped, counted and reported, for any chunk size", async () => {
    const file = wav(S16_MONO, data);
    for (const size of [file.length, 5, 44, 45]) {
      const client = await shared.connect();
      client.start();
      await client.sendInChunks(file, () => size);
      client.stop({ disconnect: true });
      await client.waitForClose();
      expect(client.eventsOf("warning").map(({ code }) => code)).toEqual(["wav_header"]);
      const { stopped } = expectExactLedger(client.events, { bytes: file.length, frameBytes: 2 });
      expect(stopped.skipped_bytes).toBe(44);
      expect(stopped.channels[0]?.received).toBe(data.length / 2);
    }
  });

  test("a header of another format, or within the audio, ends the stream with format_mismatch", async () => {
    const other = wav({ ...S16_MONO, channels: 2 }, data);
    for (const bytes of [other, Buffer.concat([data, wav(S16_MONO, data)])]) {
      using client = await shared.connect();
      client.start();
      await client.sendInChunks(bytes, () => 997);
      expect((await client.nextEvent("error")).code).toBe("format_mismatch");
      expect((await client.nextEvent("stopped")).reason).toBe("error");
      expectExactLedger(client.events);
    }
  });
});

describe("audio that is not PCM goes not unnoticed", () => {
  const webm = Buffer.concat([
    Buffer.from("1a45dfa39f42868101", "hex"),
    crypto.getRandomValues(new Uint8Array(20_000)),
  ]);
  const mp3 = frames("fffb9444", [384, 384, 384, 384]);

  test.each([
    ["a WebM file", webm, /found a WebM or Matroska file; allowed: PCM .*MediaRecorder/],
    ["frames of MP3", mp3, /found MP3 .*; allowed: PCM /],
  ])("%s ends the stream with format_mismatch, and the connection goes on", async (_, bytes, message) => {
    for (const size of [1, 1000, bytes.length]) {
      using client = await shared.connect();
      client.start();
      await client.sendInChunks(bytes.subarray(0, size === 1 ? 1200 : bytes.length), () => size);
      const error = await client.nextEvent("error");
      expect(error).toMatchObject({ code: "format_mismatch", fatal: false, message: expect.stringMatching(message) });
      expect(await client.nextEvent("stopped")).toMatchObject({ reason: "error", trailing_bytes: 0, skipped_bytes: 0 });
      const { stopped } = expectExactLedger(client.events);
      expect(stopped.channels[0]).toMatchObject({ received: 0, decoded: 0, segments: 0 });
      client.start();
      client.stop();
      expect((await client.nextEvent("stopped")).reason).toBe("stop");
    }
  });

  test("base64 in binary messages is named by a warning, and counts as audio", async () => {
    using client = await shared.connect();
    const text = Buffer.from(encode("s16", speech([0.5])).toString("base64"));
    client.start();
    await client.sendInChunks(text, () => 4000);
    client.stop();
    expect(await client.nextEvent("warning")).toMatchObject({
      code: "looks_like",
      message: expect.stringContaining("base64"),
    });
    await client.nextEvent("stopped");
    expectExactLedger(client.events, { bytes: text.length, frameBytes: 2 });
  });
});

describe("invalid input gets an error, and a close its reason", () => {
  test("every invalid message gets an error, and the close of a fatal error its code as reason", async () => {
    using client = await shared.connect();
    const messages = [
      "",
      "null",
      "7",
      "{",
      '{"request":7}',
      '{"request":"begin"}',
      '{"request":"stop"}',
      '{"request":"flush","x":1}',
    ];
    for (const text of messages) {
      client.sendText(text);
      expect((await client.nextEvent("error")).message).not.toBe("");
    }
    await client.sendAudio(Buffer.alloc(1_048_577));
    expect(await client.waitForClose()).toEqual({ code: 1009, reason: "message_too_big" });
    expect(client.events.at(-1)).toMatchObject({ type: "error", code: "message_too_big", fatal: true });
  });

  test("each kind of suspicious audio gets one warning", async () => {
    using client = await shared.connect(SIMPLE);
    client.start({ format: { channels: 2, sample_rate: 16_000, bit_depth: 32, is_float: true } });
    const loud = noise(1, { level: 3 });
    loud[7] = Number.NaN;
    const [bytes, silence] = [encode("f32", loud, loud), encode("f32", new Float32Array(11 * 16_000), noise(11))];
    for (const each of [bytes, bytes, silence, silence]) await client.sendInChunks(each, () => 100_000);
    client.stop();
    await client.nextEvent("stopped");
    const codes = client.eventsOf("warning").map(({ code }) => code);
    expect(codes.toSorted()).toEqual([...new Set(codes)].toSorted());
    expect(codes).toContain("not_a_number");
    expect(codes).toContain("out_of_range");
    expect(codes).toContain("silence");
  });
});

describe("times are exact", () => {
  test("after an hour of audio, a time is still exactly that of a sample", async () => {
    await using server = await InProcessServer.start({
      "simple.block_ms": 10_000,
      "limits.channel_budget_seconds": 135,
    });
    const format = { channels: 1, sample_rate: 11_025, bit_depth: 8, is_float: false };
    using client = await server.connect(SIMPLE);
    const chunk = encode("u8", noise(60, { rate: 11_025, level: 0.1 }));
    client.start({ format });
    for (let minute = 0; minute < 60; minute++) await client.sendAudio(chunk);
    await client.sendAudio(chunk.subarray(0, 12_345));
    client.stop();
    await client.nextEvent("stopped");
    const received = 60 * chunk.length + 12_345;
    expectExactLedger(client.events, { bytes: received, frameBytes: 1 });
    const segments = client.eventsOf("segment");
    expect(segments.map(({ start_time }) => start_time)).toEqual(segments.map((_, n) => n * 10));
    const decoded = Math.floor((2 * received * 16_000 + 11_025) / (2 * 11_025));
    expect(segments.at(-1)?.end_time).toBe(decoded / 16_000);
  });

  test("times begin at 0 after a restart, and continue after a flush", async () => {
    using client = await shared.connect(SIMPLE);
    client.start();
    await client.sendAudio(encode("s16", noise(0.3)));
    client.flush();
    await client.sendAudio(encode("s16", noise(0.3)));
    client.start();
    await client.sendAudio(encode("s16", noise(0.3)));
    client.stop();
    await client.nextEvent("stopped", ({ reason }) => reason === "stop");
    expect(client.eventsOf("segment").map(({ start_time }) => start_time)).toEqual([0, 0.3, 0]);
  });
});

describe("interim results come only on request, and delay neither speech events nor finals", () => {
  const spoken = encode("s16", speech([2, 1.5]));

  test("without a request there are none", async () => {
    for (const fields of [{}, { interim_results: false }, { interim_results: null, interim_interval_ms: 100 }]) {
      const client = await sendStream(spoken, { fields });
      expect(client.eventsOf("segment").every(({ is_final }) => is_final === true)).toBeTrue();
      expect(client.eventsOf("stopped")[0]?.channels[0]?.interims).toBe(0);
    }
  });

  test("on request they come within their utterance, and all other events are the same", async () => {
    await using server = await InProcessServer.start({ "model.delay": 0.01 });
    const without = await sendStream(spoken, { server });
    const client = await server.connect();
    client.start({ interim_results: true, interim_interval_ms: 100 });
    // The second half is sent after the first interim, so that interims come during speech.
    const half = 16_000 * 2 * 2;
    await client.sendAudio(spoken.subarray(0, half));
    await client.nextEvent("segment", ({ is_final }) => is_final === false);
    await client.sendInChunks(spoken.subarray(half), () => 3_200);
    client.stop({ disconnect: true });
    await client.waitForClose();
    expect(client.eventsOf("segment").filter(({ is_final }) => !is_final).length).toBeGreaterThan(0);
    const withoutInterims = ({ events }: WebSocketClient): unknown =>
      JSON.stringify(chunkInvariantEvents(events)).replaceAll(/"interims":\d+/g, "");
    expect(withoutInterims(client)).toEqual(withoutInterims(without));
    // Interims of an utterance have its start, and come after earlier finals and before its own.
    let open: number | undefined;
    let end = 0;
    for (const event of client.events) {
      if (event.type !== "segment") continue;
      if (event.is_final) [open, end] = [undefined, event.end_time];
      else {
        expect(event.start_time).toBeGreaterThanOrEqual(end);
        expect(open ?? event.start_time).toBe(event.start_time);
        open = event.start_time;
      }
    }
  });

  test("interims that take long delay neither active nor inactive", async () => {
    await using server = await InProcessServer.start({ "model.delay": 1, "model.warmup_penalty": 0 });
    using client = await server.connect();
    client.start({ interim_results: true, interim_interval_ms: 100 });
    await client.sendInChunks(spoken, () => 3_200);
    await client.nextEvent("inactive", ({ time }) => time > 4);
    expect(client.eventsOf("segment")).toEqual([]);
  });
});

describe("a shutdown finishes open streams", () => {
  test("all received audio has results, stopped has the reason drain, and the close code is 1001", async () => {
    await using server = await InProcessServer.start({ "model.delay": 0.02, "limits.drain_timeout_ms": 100 });
    const clients = await Promise.all(Array.from({ length: 8 }, () => server.connect()));
    const bytes = encode("s16", concat(speech([0.8]), voice(0.7)));
    for (const client of clients) {
      client.start();
      await client.sendAudio(bytes);
    }
    await Promise.all(clients.map((client) => client.nextEvent("active", ({ time }) => time > 1.6)));
    await server.drain();
    for (const client of clients) {
      expect((await client.waitForClose()).code).toBe(1001);
      const { stopped } = expectExactLedger(client.events, { bytes: bytes.length, frameBytes: 2 });
      expect(stopped.reason).toBe("drain");
      expect(client.eventsOf("error")).toEqual([]);
      expect(stopped.channels[0]?.segments).toBe(2);
    }
  });
});
