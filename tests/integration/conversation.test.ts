import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";

import { SAMPLE_FORMAT_NAMES, SAMPLE_FORMATS } from "../../src/lib/sample-format.ts";
import { concat, encode, noise, sampleFields, seeded, speech, voice } from "../support/audio.ts";
import { Running } from "../support/in-process.ts";
import { invariant, problemsOf, streamsOf } from "../support/ledgers.ts";
import { type Peer, S16_MONO } from "../support/peer.ts";

// Many times what any of these takes: a busy machine is not a fault.
setDefaultTimeout(120_000);

let running: Running;

beforeAll(async () => {
  running = await Running.start({ "model.workers": 2 });
});

afterAll(async () => {
  await running.settled();
  await running[Symbol.asyncDispose]();
});

const SIMPLE = { path: "/api/v1/simple" };

/** One stream of these bytes in one message; the connection stays open. */
async function streamed(peer: Peer, bytes: Uint8Array, fields: object = {}): Promise<void> {
  peer.start(fields);
  await peer.audio(bytes);
  peer.stop();
  await peer.next("stopped");
}

describe("streams of one connection", () => {
  test("follow each other, each with its number, clock and ledger, under one session id", async () => {
    using peer = await running.connect(SIMPLE);
    for (let i = 0; i < 3; i++) await streamed(peer, encode("s16", noise(0.7 + i)));
    const streams = streamsOf(peer.events);
    expect(streams.map(({ started }) => started.stream)).toEqual([0, 1, 2]);
    expect(new Set(streams.map(({ started }) => started.session_id)).size).toBe(1);
    for (const [i, stream] of streams.entries()) {
      expect(problemsOf(stream, { bytes: encode("s16", noise(0.7 + i)).length, frameBytes: 2 })).toEqual([]);
      expect(stream.events[1]).toMatchObject({ type: "segment", start_time: 0 });
    }
  });

  test("differ between connections in their session id, 128 random bits as base64url", async () => {
    const ids = new Set<string>();
    for (let i = 0; i < 20; i++) {
      using peer = await running.connect();
      peer.start();
      const { session_id } = await peer.next("started");
      expect(session_id).toMatch(/^[A-Za-z0-9_-]{22}$/);
      ids.add(session_id);
    }
    expect(ids.size).toBe(20);
  });

  test("are ended by the next start: the old results and stopped come first, then the new started", async () => {
    using peer = await running.connect();
    const bytes = encode("s16", speech([0.7]));
    peer.start();
    await peer.audio(bytes);
    peer.start({ format: { ...S16_MONO, sample_rate: 8_000 } });
    await peer.audio(encode("s16", speech([0.7], { rate: 8_000 })));
    peer.stop({ disconnect: true });
    expect((await peer.close()).code).toBe(1000);
    const [first, second] = streamsOf(peer.events);
    expect(first?.stopped.reason).toBe("restart");
    expect(second?.stopped.reason).toBe("stop");
    expect(second?.started).toMatchObject({ stream: 1, format: { sample_rate: 8_000 }, sample_rate: 16_000 });
    for (const stream of [first!, second!]) {
      expect(problemsOf(stream)).toEqual([]);
      expect(stream.stopped.channels[0]?.segments).toBe(1);
    }
  });

  test("are ended also by a start that is refused; what follows is discarded with one error", async () => {
    using peer = await running.connect(SIMPLE);
    peer.start();
    await peer.audio(encode("s16", noise(0.7)));
    peer.start({ model: "simulatd" });
    await peer.audio(encode("s16", noise(0.7)));
    await peer.audio(encode("s16", noise(0.7)));
    peer.start();
    await peer.audio(encode("s16", noise(0.1)));
    peer.stop({ disconnect: true });
    await peer.close();
    const [first, second] = streamsOf(peer.events);
    expect(first?.stopped).toMatchObject({ reason: "restart", channels: [{ received: 11_200, inferred: 11_200 }] });
    expect(second?.stopped.channels[0]?.received).toBe(1_600);
    expect(peer.all("error").map(({ code }) => code)).toEqual(["unknown_model", "audio_before_start"]);
    expect(peer.all("error")[0]).toMatchObject({ param: "model", message: expect.stringContaining('"simulated"') });
  });
});

describe("requests", () => {
  test("null fields count as absent, at every level", async () => {
    using peer = await running.connect();
    await streamed(peer, encode("s16", speech([0.5])), {
      trace_id: null,
      tracestate: null,
      model: null,
      options: null,
      interim_results: null,
      timing: null,
      interim_interval_ms: null,
      vad: { threshold_db: null, max_utterance_ms: null },
      format: { ...S16_MONO, encoding: null },
    });
    expect(peer.all("error")).toEqual([]);
    expect(streamsOf(peer.events)[0]?.stopped.channels[0]?.segments).toBe(1);
  });

  test("audio may be sent before started has come", async () => {
    using peer = await running.connect();
    await streamed(peer, encode("s16", speech([0.5])));
    expect(problemsOf(streamsOf(peer.events)[0]!)).toEqual([]);
  });

  test("the trace of the first message is continued; else that of the header; else a new one begins", async () => {
    const id = "4bf92f3577b34da6a3ce929d0e0e4736";
    const header = "0af7651916cd43dd8448eb211c80319c";
    const started = async (headers: Record<string, string>, fields: object): Promise<string> => {
      using peer = await running.connect({ headers });
      peer.start(fields);
      return (await peer.next("started")).trace_id;
    };
    const traceparent = `00-${header}-b7ad6b7169203331-00`;
    const both = await started({ traceparent }, { trace_id: `00-${id}-00f067aa0ba902b7-01` });
    expect(both).toMatch(new RegExp(`^00-${id}-(?!00f067aa0ba902b7)[0-9a-f]{16}-01$`));
    expect(await started({}, { trace_id: id })).toMatch(new RegExp(`^00-${id}-[0-9a-f]{16}-0[01]$`));
    expect(await started({}, { trace_id: id.toUpperCase() })).toStartWith(`00-${id}-`);
    expect(await started({ traceparent }, {})).toMatch(
      new RegExp(`^00-${header}-(?!b7ad6b7169203331)[0-9a-f]{16}-00$`),
    );
    const fresh = await started({ traceparent: "nonsense" }, {});
    expect(fresh).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/);
    expect(fresh.slice(3, 35)).not.toBe((await started({}, {})).slice(3, 35));
  });

  test("flush ends an utterance where it stands; speech that goes on is a new one, and the clock goes on", async () => {
    using peer = await running.connect();
    const spoken = concat(noise(0.8), voice(3));
    const at = 16_000 * 2 * 2;
    peer.start();
    await peer.audio(encode("s16", spoken).subarray(0, at));
    peer.say({ request: "flush" });
    await peer.audio(encode("s16", spoken).subarray(at));
    peer.stop();
    await peer.next("stopped");
    const flushed = peer.all("flushed");
    expect(flushed).toEqual([{ type: "flushed", time: 2, channel: 0 }]);
    expect(peer.all("inactive")[0]?.time).toBe(2);
    const [first, second] = peer.all("segment");
    expect([first?.end_time, second?.start_time]).toEqual([2, 2]);
    expect(peer.all("active")[1]?.time).toBeGreaterThanOrEqual(2);
    const order = peer.events.map(({ type }) => type);
    expect(order.indexOf("segment")).toBeLessThan(order.indexOf("flushed"));
    expect(problemsOf(streamsOf(peer.events)[0]!)).toEqual([]);
  });

  test("flush in silence is answered at once and changes nothing", async () => {
    const bytes = encode("s16", speech([0.6]));
    const told = [];
    for (const flushes of [0, 5]) {
      using peer = await running.connect();
      peer.start();
      for (let i = 0; i < flushes; i++) {
        await peer.audio(bytes.subarray(i * 2_000, (i + 1) * 2_000));
        peer.say({ request: "flush" });
      }
      await peer.audio(bytes.subarray(flushes * 2_000));
      peer.stop();
      await peer.next("stopped");
      expect(peer.all("flushed")).toHaveLength(flushes);
      told.push(invariant(peer.events.filter(({ type }) => type !== "flushed")));
    }
    expect(told[1]).toEqual(told[0]);
  });

  test("flush in /simple ends the block there, and the grid restarts; every channel answers", async () => {
    using peer = await running.connect(SIMPLE);
    peer.start({ format: { ...S16_MONO, channels: 2 } });
    await peer.audio(encode("s16", noise(0.7), noise(0.7)));
    peer.say({ request: "flush" });
    await peer.audio(encode("s16", noise(0.6), noise(0.6)));
    peer.stop();
    await peer.next("stopped");
    for (const channel of [0, 1]) {
      const own = peer.events.filter((event) => "channel" in event && event.channel === channel);
      expect(own.map((event) => (event.type === "segment" ? event.end_time : event.type))).toEqual([
        0.5,
        0.7,
        "flushed",
        1.2,
        1.3,
      ]);
    }
    expect(problemsOf(streamsOf(peer.events)[0]!)).toEqual([]);
  });

  test("a result of /simple has no is_final, one of /segmented has", async () => {
    using simple = await running.connect(SIMPLE);
    await streamed(simple, encode("s16", noise(0.5)), { interim_results: true });
    expect(simple.all("segment")).toEqual([
      { type: "segment", start_time: 0, end_time: 0.5, count: 8_000, channel: 0 },
    ]);
    using segmented = await running.connect();
    await streamed(segmented, encode("s16", speech([0.6])));
    expect(segmented.all("segment").map(({ is_final }) => is_final)).toEqual([true]);
  });
});

describe("every format", () => {
  for (const name of SAMPLE_FORMAT_NAMES) {
    test(`${name} works at several rates and channel counts, and its ledger adds up`, async () => {
      const random = seeded(name.length);
      for (const [rate, count] of [
        [16_000, 1],
        [8_000, 2],
        [44_100, 3],
        [11_025, 1],
      ] as const) {
        using peer = await running.connect();
        const channels = Array.from({ length: count }, (_, seed) => speech([0.6], { rate, seed: seed + 1 }));
        const bytes = encode(name, ...channels);
        const frameBytes = SAMPLE_FORMATS[name].bytes * count;
        peer.start({ format: { channels: count, sample_rate: rate, ...sampleFields(name) } });
        await peer.cut(bytes, () => 1 + Math.floor(random() * 20_000));
        await peer.audio(Buffer.alloc(frameBytes - 1));
        peer.stop();
        await peer.next("stopped");
        const [stream] = streamsOf(peer.events);
        expect(stream?.stopped.trailing_bytes).toBe(frameBytes - 1);
        expect(problemsOf(stream!, { bytes: bytes.length + frameBytes - 1, frameBytes })).toEqual([]);
        expect(stream?.stopped.channels.map(({ segments }) => segments)).toEqual(channels.map(() => 1));
      }
    });
  }
});
