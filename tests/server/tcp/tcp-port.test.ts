import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { networkInterfaces } from "node:os";

import { concat, encode, noise, speech } from "../../support/audio.ts";
import { InProcessServer, LOOPBACK_IS_LIMITED, type Settings } from "../../support/in-process-server.ts";
import { freePort } from "../../support/proxies.ts";
import { tcpTo } from "../../support/raw-connection.ts";
import { testWith } from "../../support/requirements.ts";
import { waitUntil } from "../../support/wait.ts";
import { CHUNK_FORMAT, eventBytes, WyomingClient } from "../../support/wyoming-client.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

/** An address of this machine that other machines have, too: a client from it is none of the machine itself. */
const ownAddress = Object.values(networkInterfaces())
  .flatMap((all = []) => all)
  .find(({ family, internal }) => family === "IPv4" && !internal)?.address;

const utterance = encode("s16", concat(speech([0.6]), noise(0.6)));

/** A server with a port for the Wyoming protocol. */
async function serve(settings: Settings = {}, options: Parameters<typeof InProcessServer.start>[1] = {}) {
  const port = await freePort();
  const server = await InProcessServer.start({ "wyoming.port": port, ...settings }, options);
  return {
    server,
    port,
    connect: () => WyomingClient.connect(port),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

describe("a port over TCP", () => {
  test("carries commands, one after the other, and leaves nothing behind", async () => {
    await using own = await serve();
    using client = await own.connect();
    client.write(eventBytes("describe"));
    const { data } = await client.event("info");
    expect(data).toMatchObject({ asr: [{ models: [{ name: "simulated", installed: true }] }] });
    for (const n of [1, 2]) {
      client.command(utterance);
      expect((await client.event("transcript", n)).data["text"]).toMatch(/^count=\d+$/);
    }
    client.finish();
    expect(await client.ended()).toBe("FIN");
    await own.server.waitUntilIdle();
    const [stopped] = own.server.logged("stream_stopped");
    expect(stopped).toMatchObject({ reason: "stop", ledger: [{ received: utterance.length / 2, failed: 0 }] });
    const metrics = await own.server.metrics();
    expect(metrics.value("streamer_sessions_opened_total", { dialect: "wyoming", pattern: "segmented" })).toBe(1);
  });

  test("answers a client that has ended its side, and then ends its own", async () => {
    await using own = await serve({ "model.delay": 0.1 });
    using client = await own.connect();
    client.write(eventBytes("audio-chunk", CHUNK_FORMAT, utterance));
    client.finish();
    await client.event("transcript");
    expect(await client.ended()).toBe("FIN");
  });

  test("ends at what is no event, with its reason, also for a client that reads nothing before it has sent all", async () => {
    await using own = await serve();
    const wrongs = [
      "GET / HTTP/1.1\r\n\r\n",
      "{}\n",
      "x".repeat(100_000),
      '{"type":"a","payload_length":1000000000}\n',
    ];
    for (const wrong of wrongs) {
      using client = await own.connect();
      client.stall();
      client.write(wrong);
      for (let i = 0; i < 20; i++) await client.writeAll(eventBytes("audio-chunk", CHUNK_FORMAT, utterance));
      client.readOn();
      expect((await client.event("error")).data["code"]).toMatch(/^invalid_|^message_too_big$/);
      client.finish();
      expect(await client.ended()).toBe("FIN");
    }
    await own.server.waitUntilIdle();
  });

  test("is not read from while the model is busy, and nothing is lost", async () => {
    const small = { "limits.read_ahead_seconds": 1, "limits.inbox_bytes": 4_096, "vad.max_utterance_ms": 1_000 };
    await using own = await serve({ "model.delay": 0.05, ...small });
    using client = await own.connect();
    const audio = encode("s16", concat(...Array.from({ length: 20 }, () => speech([0.5]))));
    client.command(audio, 30_000);
    await client.event("transcript");
    expect((await own.server.metrics()).value("streamer_pauses_total")).toBeGreaterThan(0);
    expect(own.server.logged("stream_stopped")).toMatchObject([
      { reason: "stop", ledger: [{ received: audio.length / 2, decoded: audio.length / 2, failed: 0 }] },
    ]);
  });

  test("ends the session of a client that resets its connection, with its ledger in the log", async () => {
    // Of a reset the system may tell as of an end first: with every answer there, that would be a stop.
    await using own = await serve({ "model.delay": 1 });
    using client = await own.connect();
    client.write(eventBytes("audio-chunk", CHUNK_FORMAT, utterance));
    await waitUntil("the stream", () => own.server.logged("stream_started").length > 0);
    client.reset();
    await own.server.waitUntilIdle();
    expect(own.server.logged("stream_stopped")).toMatchObject([{ reason: "vanished" }]);
  });

  test("gives up a client that does not take its answers", async () => {
    await using own = await serve({ "limits.outbox_bytes": 4_096, "limits.slow_reader_ms": 100 });
    using client = await own.connect();
    client.stall();
    const ping = eventBytes("ping", { text: "x".repeat(8_000) });
    client.write(Buffer.concat(Array.from({ length: 2_000 }, () => ping)));
    await waitUntil("the end of the session", () => own.server.logged("session_closed").length > 0);
    expect(own.server.logged("session_closed")).toMatchObject([{ reason: "slow_reader" }]);
    await waitUntil("the connection to be forgotten", () => own.server.sessions === 0);
  });

  test("holds a flood of small events back, and lets others through", async () => {
    await using own = await serve();
    using flood = await own.connect();
    using other = await own.connect();
    const events = Buffer.from('{"type":""}\n'.repeat(100_000));
    let isTaken = false;
    void Promise.all(Array.from({ length: 20 }, () => flood.writeAll(events))).then(() => (isTaken = true));
    other.command(utterance);
    await other.event("transcript");
    expect(isTaken).toBeFalse();
  });

  test("refuses clients in the words of the dialect: of one address, of all, and while nothing is loaded", async () => {
    for (const [settings, code] of [
      [{ "limits.max_sessions_per_address": 1, ...LOOPBACK_IS_LIMITED }, "too_many_sessions"],
      [{ "limits.max_sessions": 1 }, "overloaded"],
    ] as const) {
      await using own = await serve(settings);
      using first = await own.connect();
      first.write(eventBytes("ping"));
      await first.event("pong");
      using refused = await own.connect();
      expect((await refused.event("error")).data["code"]).toBe(code);
      refused.finish();
      expect(await refused.ended()).toBe("FIN");
    }
    await using loading = await serve({}, { load: false });
    using early = await loading.connect();
    expect((await early.event("error")).data["code"]).toBe("not_ready");
  });

  testWith(ownAddress)("resets clients of addresses that are not allowed, and serves those that are", async () => {
    const settings = { "wyoming.host": ownAddress ?? "" };
    const connect = tcpTo(ownAddress ?? "");
    await using closed = await serve({ ...settings, "wyoming.allow": "203.0.113.0/24" });
    using stranger = await WyomingClient.connect(closed.port, connect);
    expect(await stranger.ended()).toBe("RST");
    expect(stranger.events).toEqual([]);
    await using own = await serve({ ...settings, "wyoming.allow": `203.0.113.0/24,${ownAddress}` });
    using client = await WyomingClient.connect(own.port, connect);
    client.write(eventBytes("ping"));
    await client.event("pong");
    expect(own.server.logged("session_opened")).toMatchObject([{ address: ownAddress }]);
  });

  test("gets the results of open commands out when the server shuts down", async () => {
    await using own = await serve({ "limits.drain": "now" });
    using client = await own.connect();
    client.write(eventBytes("audio-chunk", CHUNK_FORMAT, utterance));
    await client.event("transcript-chunk");
    const drained = own.server.drain();
    await client.event("transcript");
    client.finish();
    expect(await client.ended()).toBe("FIN");
    await drained;
  });

  test("is off unless it is configured, and refuses to share the port of another program", async () => {
    await using own = await serve();
    const info = (await own.server.info()) as unknown as { dialects: unknown[] };
    expect(info.dialects).toContainEqual({ name: "wyoming", port: own.port, urls: [`tcp://127.0.0.1:${own.port}`] });
    const page = await (await own.server.fetch("/")).text();
    expect(page).toContain(`  wyoming  tcp://127.0.0.1:${own.port}\n`);
    await expect(InProcessServer.start({ "wyoming.port": own.port })).rejects.toThrow("cannot listen on 127.0.0.1");
  });
});
