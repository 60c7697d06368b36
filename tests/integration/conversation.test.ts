import { describe, expect, setDefaultTimeout, test } from "bun:test";

import { SAMPLE_FORMAT_NAMES, SAMPLE_FORMATS } from "../../src/lib/sample-format.ts";
import { concat, encode, noise, sampleFields, seeded, speech, voice } from "../support/audio.ts";
import { sharedServer } from "../support/in-process-server.ts";
import { chunkInvariantEvents, expectExactLedger, ledgerProblems, onlyStream, streamsOf } from "../support/ledgers.ts";
import { S16_MONO } from "../support/requests.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const server = await sharedServer({ "model.workers": 2 });

const SIMPLE = { path: "/api/v1/simple" };

describe("the streams of a connection", () => {
  test("have one session id; each has its own number, times from 0, and ledger", async () => {
    using client = await server.connect(SIMPLE);
    for (let i = 0; i < 3; i++) await client.sendStream(encode("s16", noise(0.7 + i)));
    const streams = streamsOf(client.events);
    expect(streams.map(({ started }) => started.stream)).toEqual([0, 1, 2]);
    expect(new Set(streams.map(({ started }) => started.session_id)).size).toBe(1);
    for (const [i, stream] of streams.entries()) {
      expect(ledgerProblems(stream, { bytes: encode("s16", noise(0.7 + i)).length, frameBytes: 2 })).toEqual([]);
      expect(stream.events[1]).toMatchObject({ type: "segment", start_time: 0 });
    }
  });

  test("have a session id of 128 random bits as base64url, another one for each connection", async () => {
    const ids = new Set<string>();
    for (let i = 0; i < 20; i++) {
      using client = await server.connect();
      client.start();
      const { session_id } = await client.nextEvent("started");
      expect(session_id).toMatch(/^[A-Za-z0-9_-]{22}$/);
      ids.add(session_id);
    }
    expect(ids.size).toBe(20);
  });

  test("are ended by the next start: their results and stopped precede the next started", async () => {
    using client = await server.connect();
    const bytes = encode("s16", speech([0.7]));
    client.start();
    await client.sendAudio(bytes);
    client.start({ format: { ...S16_MONO, sample_rate: 8_000 } });
    await client.sendAudio(encode("s16", speech([0.7], { rate: 8_000 })));
    client.stop({ disconnect: true });
    expect((await client.waitForClose()).code).toBe(1000);
    const [first, second] = streamsOf(client.events);
    expect(first?.stopped.reason).toBe("restart");
    expect(second?.stopped.reason).toBe("stop");
    expect(second?.started).toMatchObject({ stream: 1, format: { sample_rate: 8_000 }, sample_rate: 16_000 });
    for (const stream of [first!, second!]) {
      expect(ledgerProblems(stream)).toEqual([]);
      expect(stream.stopped.channels[0]?.segments).toBe(1);
    }
  });

  test("are ended by a start that is refused, too; the audio after it is discarded with one error", async () => {
    using client = await server.connect(SIMPLE);
    client.start();
    await client.sendAudio(encode("s16", noise(0.7)));
    client.start({ model: "simulatd" });
    await client.sendAudio(encode("s16", noise(0.7)));
    await client.sendAudio(encode("s16", noise(0.7)));
    client.start();
    await client.sendAudio(encode("s16", noise(0.1)));
    client.stop({ disconnect: true });
    await client.waitForClose();
    const [first, second] = streamsOf(client.events);
    expect(first?.stopped).toMatchObject({ reason: "restart", channels: [{ received: 11_200, inferred: 11_200 }] });
    expect(second?.stopped.channels[0]?.received).toBe(1_600);
    expect(client.eventsOf("error").map(({ code }) => code)).toEqual(["unknown_model", "audio_before_start"]);
    expect(client.eventsOf("error")[0]).toMatchObject({
      param: "model",
      message: expect.stringContaining('"simulated"'),
    });
  });
});

describe("requests", () => {
  test("fields that are null count as absent, at every level", async () => {
    using client = await server.connect();
    await client.sendStream(encode("s16", speech([0.5])), {
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
    expect(client.eventsOf("error")).toEqual([]);
    expect(onlyStream(client.events).stopped.channels[0]?.segments).toBe(1);
  });

  test("audio may be sent before started is received", async () => {
    using client = await server.connect();
    await client.sendStream(encode("s16", speech([0.5])));
    expectExactLedger(client.events);
  });

  test("the trace of the start is continued, else that of the header, else a new one begins", async () => {
    const id = "4bf92f3577b34da6a3ce929d0e0e4736";
    const header = "0af7651916cd43dd8448eb211c80319c";
    const started = async (headers: Record<string, string>, fields: object): Promise<string> => {
      using client = await server.connect({ headers });
      client.start(fields);
      return (await client.nextEvent("started")).trace_id;
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

  test("flush ends an utterance at its position; speech that continues is a new utterance, and times continue", async () => {
    using client = await server.connect();
    const spoken = concat(noise(0.8), voice(3));
    const at = 16_000 * 2 * 2;
    client.start();
    await client.sendAudio(encode("s16", spoken).subarray(0, at));
    client.flush();
    await client.sendAudio(encode("s16", spoken).subarray(at));
    client.stop();
    await client.nextEvent("stopped");
    const flushed = client.eventsOf("flushed");
    expect(flushed).toEqual([{ type: "flushed", time: 2, channel: 0 }]);
    expect(client.eventsOf("inactive")[0]?.time).toBe(2);
    const [first, second] = client.eventsOf("segment");
    expect([first?.end_time, second?.start_time]).toEqual([2, 2]);
    expect(client.eventsOf("active")[1]?.time).toBeGreaterThanOrEqual(2);
    const order = client.events.map(({ type }) => type);
    expect(order.indexOf("segment")).toBeLessThan(order.indexOf("flushed"));
    expectExactLedger(client.events);
  });

  test("flush in silence is answered immediately and changes no result", async () => {
    const bytes = encode("s16", speech([0.6]));
    const results = [];
    for (const flushes of [0, 5]) {
      using client = await server.connect();
      client.start();
      for (let i = 0; i < flushes; i++) {
        await client.sendAudio(bytes.subarray(i * 2_000, (i + 1) * 2_000));
        client.flush();
      }
      await client.sendAudio(bytes.subarray(flushes * 2_000));
      client.stop();
      await client.nextEvent("stopped");
      expect(client.eventsOf("flushed")).toHaveLength(flushes);
      results.push(chunkInvariantEvents(client.events.filter(({ type }) => type !== "flushed")));
    }
    expect(results[1]).toEqual(results[0]);
  });

  test("flush in /simple ends the block at its position, and blocks begin anew there, in every channel", async () => {
    using client = await server.connect(SIMPLE);
    client.start({ format: { ...S16_MONO, channels: 2 } });
    await client.sendAudio(encode("s16", noise(0.7), noise(0.7)));
    client.flush();
    await client.sendAudio(encode("s16", noise(0.6), noise(0.6)));
    client.stop();
    await client.nextEvent("stopped");
    for (const channel of [0, 1]) {
      const own = client.events.filter((event) => "channel" in event && event.channel === channel);
      expect(own.map((event) => (event.type === "segment" ? event.end_time : event.type))).toEqual([
        0.5,
        0.7,
        "flushed",
        1.2,
        1.3,
      ]);
    }
    expectExactLedger(client.events);
  });

  test("results of /segmented have is_final, those of /simple do not", async () => {
    using simple = await server.connect(SIMPLE);
    await simple.sendStream(encode("s16", noise(0.5)), { interim_results: true });
    expect(simple.eventsOf("segment")).toEqual([
      { type: "segment", start_time: 0, end_time: 0.5, count: 8_000, channel: 0 },
    ]);
    using segmented = await server.connect();
    await segmented.sendStream(encode("s16", speech([0.6])));
    expect(segmented.eventsOf("segment").map(({ is_final }) => is_final)).toEqual([true]);
  });
});

describe("the sample format", () => {
  for (const name of SAMPLE_FORMAT_NAMES) {
    test(`${name} has exact ledgers at several sample rates and channel counts`, async () => {
      const random = seeded(name.length);
      for (const [rate, count] of [
        [16_000, 1],
        [8_000, 2],
        [44_100, 3],
        [11_025, 1],
      ] as const) {
        using client = await server.connect();
        const channels = Array.from({ length: count }, (_, seed) => speech([0.6], { rate, seed: seed + 1 }));
        const bytes = encode(name, ...channels);
        const frameBytes = SAMPLE_FORMATS[name].bytes * count;
        client.start({ format: { channels: count, sample_rate: rate, ...sampleFields(name) } });
        await client.sendInChunks(bytes, () => 1 + Math.floor(random() * 20_000));
        await client.sendAudio(Buffer.alloc(frameBytes - 1));
        client.stop();
        await client.nextEvent("stopped");
        const sent = { bytes: bytes.length + frameBytes - 1, frameBytes };
        const { stopped } = expectExactLedger(client.events, sent);
        expect(stopped.trailing_bytes).toBe(frameBytes - 1);
        expect(stopped.channels.map(({ segments }) => segments)).toEqual(channels.map(() => 1));
      }
    });
  }
});

test("a client that stops sending gets its utterance and its block ended, if it asked for that and the server has the feature", async () => {
  expect(await server.info()).toMatchObject({ features: expect.arrayContaining(["flush_after", "vad_floor"]) });
  for (const [path, bytes, end] of [
    ["/api/v1/segmented", encode("s16", concat(noise(0.8), voice(0.7))), 1.5],
    ["/api/v1/simple", encode("s16", noise(0.7)), 0.7],
  ] as const) {
    using client = await server.connect({ path });
    client.start({ flush_after_ms: 200 });
    expect((await client.nextEvent("started")).features).toContain("flush_after");
    for (const round of [1, 2]) {
      await client.sendAudio(bytes);
      expect((await client.nextEvent("segment", ({ end_time }) => end_time >= round * end)).end_time).toBe(round * end);
    }
    client.stop();
    await client.nextEvent("stopped");
    expectExactLedger(client.events, { bytes: 2 * bytes.length, frameBytes: 2 });
    expect(client.eventsOf("flushed")).toEqual([]);
  }
});
