import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";

import { concat, encode, noise, seeded, speech, voice, wav } from "../support/audio.ts";
import { Running } from "../support/in-process.ts";
import { invariant, problemsOf, streamsOf } from "../support/ledgers.ts";
import { type Peer, S16_MONO } from "../support/peer.ts";

// Many times what any of these takes: a busy machine is not a fault.
setDefaultTimeout(120_000);

/** "What has gone wrong in others' systems, and must not here": the lines of the product page, each with its tests. */

const SIMPLE = { path: "/api/v1/simple" };
const SEGMENTED = { path: "/api/v1/segmented" };

let running: Running;

beforeAll(async () => {
  running = await Running.start({ "model.workers": 2 });
});

afterAll(async () => {
  await running.settled();
  await running[Symbol.asyncDispose]();
});

/** What a stream of these bytes, in messages of these sizes, leads to. Its ledger adds up. */
async function conversation(
  bytes: Uint8Array,
  options: { path?: string; fields?: object; size?: () => number; frameBytes?: number; on?: Running } = {},
): Promise<Peer> {
  const peer = await (options.on ?? running).connect({ path: options.path ?? SEGMENTED.path });
  peer.start(options.fields);
  await peer.cut(bytes, options.size ?? (() => 3_200));
  peer.stop({ disconnect: true });
  expect(await peer.close()).toEqual({ code: 1000, reason: "stop" });
  const [stream] = streamsOf(peer.events);
  expect(problemsOf(stream!, { bytes: bytes.length, frameBytes: options.frameBytes ?? 2 })).toEqual([]);
  return peer;
}

describe("The last words are lost: stop arrives, the tail is not flushed, or the socket closes before results do.", () => {
  test("an utterance that the stop cuts off is answered to its last sample", async () => {
    const spoken = concat(noise(0.8), voice(1.23));
    const peer = await conversation(encode("s16", spoken));
    const [segment, ...more] = peer.all("segment");
    expect(more).toEqual([]);
    expect(segment?.end_time).toBe(spoken.length / 16_000);
    expect(peer.events.slice(-3).map(({ type }) => type)).toEqual(["inactive", "segment", "stopped"]);
  });

  test("what the resampler still holds, and a block that is not full, come too", async () => {
    const bytes = encode("s16", noise(1.2345, { rate: 44_100 }));
    const peer = await conversation(bytes, { ...SIMPLE, fields: { format: { ...S16_MONO, sample_rate: 44_100 } } });
    expect(peer.all("segment").at(-1)?.end_time).toBe(Math.round((bytes.length / 2 / 44_100) * 16_000) / 16_000);
  });

  test("a slow model's results come before the close, however soon the stop", async () => {
    await using slow = await Running.start({ "model.delay": 0.1 });
    const peer = await conversation(encode("s16", noise(3)), { ...SIMPLE, on: slow });
    expect(peer.all("segment")).toHaveLength(6);
  });
});

describe("The client cannot tell that all results are in.", () => {
  test("stopped is the last event of a stream, with a ledger that proves it", async () => {
    const peer = await conversation(encode("s16", speech([0.6, 0.9])));
    expect(peer.events.at(-1)?.type).toBe("stopped");
    expect(peer.all("stopped")).toHaveLength(1);
  });

  test("flushed follows every result from before the flush", async () => {
    using peer = await running.connect(SIMPLE);
    peer.start();
    await peer.audio(encode("s16", noise(1.7)));
    peer.say({ request: "flush" });
    const { time } = await peer.next("flushed");
    expect(peer.all("segment").at(-1)?.end_time).toBe(time);
    expect(time).toBe(1.7);
  });
});

describe("A second client slows or corrupts the first.", () => {
  test("a client's results are the same beside others that flood, talk nonsense and vanish", async () => {
    const spoken = encode("s16", speech([0.7, 1.1, 0.5]));
    await using shared = await Running.start({
      "model.workers": 2,
      "limits.read_ahead_seconds": 1,
      "model.delay": 0.002,
    });
    const alone = await conversation(spoken, { on: shared });
    const stop = new AbortController();
    const noisy = async (act: (peer: Peer) => Promise<void>): Promise<void> => {
      while (!stop.signal.aborted) {
        using peer = await shared.connect(SIMPLE);
        // That the server ends some of these connections is the point.
        await act(peer).catch(() => {});
      }
    };
    const others = Promise.all([
      noisy(async (peer) => {
        peer.start();
        await peer.cut(Buffer.alloc(500_000, 7), () => 50_000);
      }),
      noisy(async (peer) => {
        peer.say("nonsense");
        await peer.audio(Buffer.alloc(2_000_000));
      }),
      noisy(async (peer) => {
        peer.start({ format: { channels: 16, sample_rate: 384_000, bit_depth: 64, is_float: true } });
        await peer.audio(Buffer.alloc(1_000_000, 0x55));
        peer.reset();
      }),
    ]);
    for (let i = 0; i < 3; i++) {
      const beside = await conversation(spoken, { on: shared, size: () => 1_111 });
      expect(invariant(beside.events)).toEqual(invariant(alone.events));
    }
    stop.abort();
    await others;
    await shared.settled();
  });

  test("streams take turns: one with many jobs does not make one with few wait for all of them", async () => {
    await using shared = await Running.start({ "model.delay": 0.02, "limits.read_ahead_seconds": 100 });
    const greedy = await shared.connect(SIMPLE);
    greedy.start();
    await greedy.cut(encode("s16", noise(40)), () => 100_000);
    await greedy.next("segment");
    await conversation(encode("s16", noise(0.4)), { ...SIMPLE, on: shared });
    expect(greedy.all("segment").length).toBeLessThan(40);
  });
});

describe("Latency grows without bound under load, silently.", () => {
  test("no more audio waits for the model than the read-ahead, and timing reports how much", async () => {
    await using slow = await Running.start({
      "model.delay": 0.02,
      "limits.read_ahead_seconds": 1,
      "limits.inbox_bytes": 16_000,
    });
    using peer = await slow.connect(SIMPLE);
    peer.start({ timing: true });
    await peer.cut(encode("s16", noise(20)), () => 3_200);
    peer.stop();
    await peer.next("stopped");
    const lags = peer.all("segment").map(({ timing }) => timing?.lag_ms ?? Number.NaN);
    // The read-ahead and the block that is filling up: nothing else is received.
    expect(Math.max(...lags)).toBeLessThanOrEqual(1_500);
    expect(Math.max(...lags)).toBeGreaterThan(0);
  });

  test("a server that is full refuses before the upgrade instead of serving all badly", async () => {
    await using full = await Running.start({ "limits.max_sessions": 1 });
    await full.connect();
    expect(full.connect()).rejects.toMatchObject({ status: 503 });
    await full.connect().catch(() => {});
  });
});

describe("Memory grows per stream: retained promises, teed streams, silence kept for ever.", () => {
  test("a long silence holds no more memory than a short one", async () => {
    await using quiet = await Running.start({ "limits.arena_mb": 1 });
    using peer = await quiet.connect();
    peer.start();
    // Fifteen times what the memory for audio could hold.
    for (let i = 0; i < 16; i++) {
      await peer.audio(encode("s16", noise(16, { seed: i })));
      peer.say({ request: "flush" });
      await peer.next("flushed");
      expect((await quiet.info()).arena.used_slabs).toBeLessThanOrEqual(3);
    }
    peer.stop();
    expect((await peer.next("stopped")).channels[0]).toMatchObject({ silent: 16 * 256_000, segments: 0 });
  });

  test("streams that are over leave nothing: memory is flat over thousands of them", async () => {
    await using server = await Running.start();
    using peer = await server.connect(SIMPLE);
    const bytes = encode("s16", noise(0.5));
    const streams = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) {
        peer.start();
        void peer.audio(bytes);
        peer.stop();
        await peer.next("stopped");
        peer.forget();
      }
      Bun.gc(true);
    };
    await streams(300);
    const before = process.memoryUsage.rss();
    await streams(2_000);
    expect((process.memoryUsage.rss() - before) / 2 ** 20).toBeLessThan(32);
    expect((await server.info()).arena.used_slabs).toBe(0);
  });
});

describe("A chunk with an odd byte count throws, shifts or kills the stream.", () => {
  test("any cut gives the same finals, times and ledger", async () => {
    const format = { channels: 2, sample_rate: 22_050, bit_depth: 24, is_float: false };
    const bytes = encode("s24", speech([0.6], { rate: 22_050 }), speech([0.4, 0.3], { rate: 22_050, seed: 9 }));
    const random = seeded(bytes.length);
    const sizes = [() => bytes.length, () => 1_001, () => 7, () => 1 + Math.floor(random() * 5_000)];
    const told = [];
    for (const size of sizes) {
      told.push(invariant((await conversation(bytes, { fields: { format }, size, frameBytes: 6 })).events));
    }
    for (const each of told) expect(each).toEqual(told[0]!);
  });

  test("bytes left over at the end are reported as trailing_bytes", async () => {
    const peer = await conversation(encode("s16", noise(0.5)).subarray(1), { ...SIMPLE, size: () => 999 });
    expect(peer.all("stopped")[0]).toMatchObject({ trailing_bytes: 1, channels: [{ received: 7_999 }] });
  });
});

describe("Audio is replaced by silence, or the tail is cut, by a resampler handed awkward chunk sizes.", () => {
  test("the samples that the model gets are those of one piece, at awkward rates and sizes", async () => {
    for (const rate of [11_025, 12_345, 47_999, 383_987]) {
      const format = { ...S16_MONO, sample_rate: rate };
      const bytes = encode("s16", speech([0.5], { rate }));
      const whole = await conversation(bytes, { fields: { format }, size: () => 1_048_576 });
      for (const size of [311, 65_537, 262_143]) {
        const cut = await conversation(bytes, { fields: { format }, size: () => size });
        expect(invariant(cut.events)).toEqual(invariant(whole.events));
      }
      expect(whole.all("segment")).toHaveLength(1);
    }
  });
});

describe("A WAV header is taken for audio.", () => {
  const data = encode("s16", speech([0.5]));

  test("a header of the stream's own format is skipped, counted and reported, wherever the messages are cut", async () => {
    const file = wav(S16_MONO, data);
    for (const size of [file.length, 5, 44, 45]) {
      const peer = await running.connect();
      peer.start();
      await peer.cut(file, () => size);
      peer.stop({ disconnect: true });
      await peer.close();
      expect(peer.all("warning").map(({ code }) => code)).toEqual(["wav_header"]);
      const [stream] = streamsOf(peer.events);
      expect(stream?.stopped.skipped_bytes).toBe(44);
      expect(problemsOf(stream!, { bytes: file.length, frameBytes: 2 })).toEqual([]);
      expect(stream?.stopped.channels[0]?.received).toBe(data.length / 2);
    }
  });

  test("a header of another format, or in the middle, ends the stream with format_mismatch", async () => {
    const other = wav({ ...S16_MONO, channels: 2 }, data);
    for (const bytes of [other, Buffer.concat([data, wav(S16_MONO, data)])]) {
      using peer = await running.connect();
      peer.start();
      await peer.cut(bytes, () => 997);
      expect((await peer.next("error")).code).toBe("format_mismatch");
      expect((await peer.next("stopped")).reason).toBe("error");
      expect(problemsOf(streamsOf(peer.events)[0]!)).toEqual([]);
    }
  });
});

describe("Bad input is ignored without an answer; or the socket closes with no reason.", () => {
  test("every invalid message gets an error, and every close has a reason", async () => {
    using peer = await running.connect();
    const nonsense = [
      "",
      "null",
      "7",
      "{",
      '{"request":7}',
      '{"request":"begin"}',
      '{"request":"stop"}',
      '{"request":"flush","x":1}',
    ];
    for (const text of nonsense) {
      peer.say(text);
      expect((await peer.next("error")).message).not.toBe("");
    }
    await peer.audio(Buffer.alloc(1_048_577));
    expect(await peer.close()).toEqual({ code: 1009, reason: "message_too_big" });
    expect(peer.events.at(-1)).toMatchObject({ type: "error", code: "message_too_big", fatal: true });
  });

  test("suspicious audio is warned of once per kind", async () => {
    using peer = await running.connect(SIMPLE);
    peer.start({ format: { channels: 2, sample_rate: 16_000, bit_depth: 32, is_float: true } });
    const loud = noise(1, { level: 3 });
    loud[7] = Number.NaN;
    const [bytes, silence] = [encode("f32", loud, loud), encode("f32", new Float32Array(11 * 16_000), noise(11))];
    for (const each of [bytes, bytes, silence, silence]) await peer.cut(each, () => 100_000);
    peer.stop();
    await peer.next("stopped");
    const codes = peer.all("warning").map(({ code }) => code);
    expect(codes.toSorted()).toEqual([...new Set(codes)].toSorted());
    expect(codes).toContain("not_a_number");
    expect(codes).toContain("out_of_range");
    expect(codes).toContain("silence");
  });
});

describe("Timestamps drift (single-precision accumulation) or restart.", () => {
  test("after an hour's worth of audio a time is still exactly a sample, and the clock has not restarted", async () => {
    await using quick = await Running.start({ "simple.block_ms": 10_000, "limits.channel_budget_seconds": 135 });
    const format = { channels: 1, sample_rate: 11_025, bit_depth: 8, is_float: false };
    using peer = await quick.connect(SIMPLE);
    const chunk = encode("u8", noise(60, { rate: 11_025, level: 0.1 }));
    peer.start({ format });
    for (let minute = 0; minute < 60; minute++) await peer.audio(chunk);
    await peer.audio(chunk.subarray(0, 12_345));
    peer.stop();
    await peer.next("stopped");
    const received = 60 * chunk.length + 12_345;
    expect(problemsOf(streamsOf(peer.events)[0]!, { bytes: received, frameBytes: 1 })).toEqual([]);
    const segments = peer.all("segment");
    expect(segments.map(({ start_time }) => start_time)).toEqual(segments.map((_, n) => n * 10));
    const decoded = Math.floor((2 * received * 16_000 + 11_025) / (2 * 11_025));
    expect(segments.at(-1)?.end_time).toBe(decoded / 16_000);
  });

  test("a restart begins anew at 0, a flush does not", async () => {
    using peer = await running.connect(SIMPLE);
    peer.start();
    await peer.audio(encode("s16", noise(0.3)));
    peer.say({ request: "flush" });
    await peer.audio(encode("s16", noise(0.3)));
    peer.start();
    await peer.audio(encode("s16", noise(0.3)));
    peer.stop();
    await peer.next("stopped", ({ reason }) => reason === "stop");
    expect(peer.all("segment").map(({ start_time }) => start_time)).toEqual([0, 0.3, 0]);
  });
});

describe("Interim results appear although not asked for, or delay speech events and finals.", () => {
  const spoken = encode("s16", speech([2, 1.5]));

  test("there are none without a request", async () => {
    for (const fields of [{}, { interim_results: false }, { interim_results: null, interim_interval_ms: 100 }]) {
      const peer = await conversation(spoken, { fields });
      expect(peer.all("segment").every(({ is_final }) => is_final === true)).toBeTrue();
      expect(peer.all("stopped")[0]?.channels[0]?.interims).toBe(0);
    }
  });

  test("on request they come within their utterance, and other events are the same as without", async () => {
    await using server = await Running.start({ "model.delay": 0.01 });
    const without = await conversation(spoken, { on: server });
    const asked = await server.connect();
    asked.start({ interim_results: true, interim_interval_ms: 100 });
    // Some come while a person is still speaking; the rest is sent when they have.
    const half = 16_000 * 2 * 2;
    await asked.audio(spoken.subarray(0, half));
    await asked.next("segment", ({ is_final }) => is_final === false);
    await asked.cut(spoken.subarray(half), () => 3_200);
    asked.stop({ disconnect: true });
    await asked.close();
    expect(asked.all("segment").filter(({ is_final }) => !is_final).length).toBeGreaterThan(0);
    const bare = (peer: Peer): unknown => JSON.stringify(invariant(peer.events)).replaceAll(/"interims":\d+/g, "");
    expect(bare(asked)).toEqual(bare(without));
    // Of one utterance: active, interims that grow, inactive, final. None is behind its final or before its active.
    let open: number | undefined;
    let end = 0;
    for (const event of asked.events) {
      if (event.type !== "segment") continue;
      if (event.is_final) [open, end] = [undefined, event.end_time];
      else {
        expect(event.start_time).toBeGreaterThanOrEqual(end);
        expect(open ?? event.start_time).toBe(event.start_time);
        open = event.start_time;
      }
    }
  });

  test("interims in a model that hangs over them delay neither active nor inactive", async () => {
    await using server = await Running.start({ "model.delay": 1, "model.warmup_penalty": 0 });
    using peer = await server.connect();
    peer.start({ interim_results: true, interim_interval_ms: 100 });
    await peer.cut(spoken, () => 3_200);
    await peer.next("inactive", ({ time }) => time > 4);
    expect(peer.all("segment")).toEqual([]);
  });
});

describe("Shutdown cuts live streams without their results.", () => {
  test("received audio is finished, stopped has reason drain, and the close code is 1001", async () => {
    await using server = await Running.start({ "model.delay": 0.02 });
    const peers = await Promise.all(Array.from({ length: 8 }, () => server.connect()));
    const bytes = encode("s16", concat(speech([0.8]), voice(0.7)));
    for (const peer of peers) {
      peer.start();
      await peer.audio(bytes);
    }
    await Promise.all(peers.map((peer) => peer.next("active", ({ time }) => time > 1.6)));
    await server.server.drain();
    for (const peer of peers) {
      expect((await peer.close()).code).toBe(1001);
      const [stream] = streamsOf(peer.events);
      expect(stream?.stopped.reason).toBe("drain");
      expect(peer.all("error")).toEqual([]);
      expect(problemsOf(stream!, { bytes: bytes.length, frameBytes: 2 })).toEqual([]);
      expect(stream?.stopped.channels[0]?.segments).toBe(2);
    }
  });
});
