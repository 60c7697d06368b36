import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { ServerWebSocket } from "bun";

import { SharedFrameBudget } from "../../src/server/frame-budget.ts";
import { type SocketData, WebSocketConnection } from "../../src/server/websocket-connection.ts";
import { concat, encode, noise, seeded, speech } from "../support/audio.ts";
import { encodeFrame, OPCODE } from "../support/frames.ts";
import { InProcessServer, sharedServer } from "../support/in-process-server.ts";
import { chunkInvariantEvents, expectExactLedger, ledgerProblems, streamsOf } from "../support/ledgers.ts";
import { S16_MONO } from "../support/requests.ts";
import { ScrapedMetrics } from "../support/scraped-metrics.ts";
import { waitUntil } from "../support/wait.ts";
import type { WebSocketClient } from "../support/websocket-client.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const shared = await sharedServer();

const utterance = encode("s16", speech([0.6]));

describe("WebSocket frames", () => {
  test("a frame in several TCP writes, or a message in fragments with pings between, gives the same results", async () => {
    const results: unknown[] = [];
    for (const delivery of ["one write", "several writes", "fragments"]) {
      using client = await shared.connect();
      client.start();
      if (delivery === "one write") await client.sendAudio(utterance);
      else if (delivery === "fragments") {
        await client.sendFragments(OPCODE.binary, [
          utterance.subarray(0, 1),
          utterance.subarray(1, 1_001),
          utterance.subarray(1_001),
        ]);
      } else {
        const frame = encodeFrame(OPCODE.binary, utterance);
        for (let at = 0; at < 16; at++) await client.write(frame.subarray(at, at + 1));
        await client.write(frame.subarray(16, 40_000));
        await client.write(frame.subarray(40_000));
      }
      client.stop();
      await client.nextEvent("stopped");
      results.push(chunkInvariantEvents(client.events));
    }
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });

  test("a request may arrive in fragments", async () => {
    using client = await shared.connect();
    const text = Buffer.from(JSON.stringify({ request: "stop" }));
    await client.sendFragments(OPCODE.text, [text.subarray(0, 4), text.subarray(4)]);
    expect((await client.nextEvent("error")).code).toBe("no_stream");
  });

  test("several messages in one TCP segment are handled one by one", async () => {
    using client = await shared.connect({ path: "/api/v1/simple" });
    const text = (request: object): Buffer => encodeFrame(OPCODE.text, Buffer.from(JSON.stringify(request)));
    const start = { request: "start", format: S16_MONO };
    await client.write(
      Buffer.concat([
        text(start),
        encodeFrame(OPCODE.binary, Buffer.alloc(6_401)),
        encodeFrame(OPCODE.binary, Buffer.alloc(0)),
        text({ request: "stop" }),
        text(start),
        text({ request: "stop", disconnect: true }),
      ]),
    );
    expect(await client.waitForClose()).toEqual({ code: 1000, reason: "stop" });
    const [first, second] = streamsOf(client.events);
    expect(ledgerProblems(first!, { bytes: 6_401, frameBytes: 2 })).toEqual([]);
    expect(second?.stopped.channels[0]?.received).toBe(0);
  });

  test("a frame that breaks the WebSocket protocol ends its own connection only", async () => {
    using other = await shared.connect();
    using client = await shared.connect();
    other.start();
    client.start();
    await client.nextEvent("started");
    await client.write(Buffer.from([0xf1, 0x80, 0, 0, 0, 0]));
    expect((await client.waitForClose()).code).toBeOneOf([1002, 1006]);
    other.stop();
    expect((await other.nextEvent("stopped")).reason).toBe("stop");
  });
});

describe("a client that disconnects", () => {
  const ways: Readonly<Record<string, (client: WebSocketClient) => void>> = {
    "with a close frame": (client) => client.sendClose(),
    "with a TCP reset": (client) => client.reset(),
    "by closing its side of the TCP connection": (client) => client.halfClose(),
  };

  for (const [way, disconnect] of Object.entries(ways)) {
    test(`${way} in the middle of an utterance frees all memory, and its ledger is logged`, async () => {
      await using server = await InProcessServer.start({ "model.delay": 0.05 });
      const client = await server.connect({ path: "/api/v1/simple" });
      client.start({ format: { channels: 2, sample_rate: 48_000, bit_depth: 16, is_float: false } });
      await client.sendAudio(encode("s16", noise(3, { rate: 48_000 }), noise(3, { rate: 48_000 })));
      await client.nextEvent("started");
      disconnect(client);
      await server.waitUntilIdle();
      const [record] = server.logged("stream_stopped");
      expect(record?.["ledger"]).toHaveLength(2);
    });
  }

  test("while its socket is paused is detected, and its queued jobs are cancelled", async () => {
    await using server = await InProcessServer.start({ "model.delay": 0.2, "limits.read_ahead_seconds": 1 });
    const client = await server.connect({ path: "/api/v1/simple" });
    client.start();
    void client.sendInChunks(encode("s16", noise(60)), () => 32_000).catch(() => {});
    await client.nextEvent("segment");
    await waitUntil("the arena is in use", async () => (await server.info()).arena.used_slabs > 0);
    client.reset();
    await server.waitUntilIdle();
    expect(server.logged("stream_stopped")).toHaveLength(1);
    const next = await server.connect({ path: "/api/v1/simple" });
    await next.sendStream(encode("s16", noise(0.1)));
  });

  test("that does not answer the close frame of a fatal error is disconnected after the linger time", async () => {
    await using server = await InProcessServer.start({ "limits.max_message_bytes": 1_024 });
    const client = await server.connect();
    client.unresponsive = true;
    client.start();
    await client.sendAudio(Buffer.alloc(1_025));
    expect((await client.waitForClose()).code).toBe(1009);
    await server.waitUntilIdle();
  });
});

test("every result arrives before the close, however many are queued", async () => {
  await using server = await InProcessServer.start({ "simple.block_ms": 20 });
  const client = await server.connect({ path: "/api/v1/simple" });
  const random = seeded(7);
  const bytes = encode("s16", concat(noise(30), noise(1)));
  client.start();
  await client.sendInChunks(bytes, () => 1 + Math.floor(random() * 60_000));
  client.stop({ disconnect: true });
  expect((await client.waitForClose()).code).toBe(1000);
  expect(client.eventsOf("segment")).toHaveLength(1_550);
  expectExactLedger(client.events, { bytes: bytes.length, frameBytes: 2 });
});

test("a connection that floods with small frames is not read for a while, whatever its session wants; when that is over, it is cut", () => {
  let now = 0;
  const calls: string[] = [];
  const ws = {
    readyState: 1,
    isPaused: false,
    getBufferedAmount: () => 1,
    pause: () => calls.push("pause"),
    resume: () => calls.push("resume"),
    ping: () => calls.push("ping"),
    terminate: () => calls.push("terminate"),
  };
  const budget = new SharedFrameBudget(() => now).open();
  const connection = new WebSocketConnection(ws as unknown as ServerWebSocket<SocketData>, () => now, budget);
  const flood = (): void => {
    for (let i = 0; i < 40_960; i++) connection.countSmallFrame();
  };
  flood();
  expect(new Set(calls)).toEqual(new Set(["pause"]));
  calls.length = 0;
  connection.resume();
  connection.sweep((now = 500));
  expect(calls).toEqual([]);
  connection.sweep((now = 2_000));
  expect(calls).toEqual(["resume"]);
  flood();
  connection.close({ ending: "stop", code: 1000, reason: "stop" });
  flood();
  expect(calls.at(-1)).toBe("terminate");
});

test("a result with empty sound is sent with an empty binary message, and its session goes on", async () => {
  const folder = mkdtempSync(join(tmpdir(), "streamer-empty-sound-"));
  try {
    const path = join(folder, "quiet.ts");
    writeFileSync(
      path,
      'export default { name: "quiet", load: () => ({ infer: () => ({ audio: new Float32Array(0) }) }) };',
    );
    await using server = await InProcessServer.start({ "model.name": path });
    using client = await server.connect({ path: "/api/v1/simple" });
    client.start();
    await client.sendAudio(encode("s16", noise(2)));
    client.stop();
    await client.nextEvent("stopped");
    const segments = client.events.filter(({ type }) => type === "segment");
    expect(segments.length).toBeGreaterThan(1);
    for (const segment of segments) expect(segment).toMatchObject({ audio: { bytes: 0, sample_rate: 16_000 } });
    expect(client.binaryMessages.map(({ length }) => length)).toEqual(segments.map(() => 0));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a message that Bun drops is an error while the connection is open; for an empty one it returns the same", () => {
  const ws = { readyState: 1, sendBinary: () => 0, sendText: () => 0 };
  const connection = new WebSocketConnection(
    ws as unknown as ServerWebSocket<SocketData>,
    () => 0,
    new SharedFrameBudget(() => 0).open(),
  );
  expect(() => connection.send(new Uint8Array(0))).not.toThrow();
  expect(() => connection.send(new Uint8Array(1))).toThrow("websocket: a message was dropped");
  expect(() => connection.send("text")).toThrow("websocket: a message was dropped");
});

test("a close waits for the last messages as long as the client keeps reading", () => {
  let [now, buffered] = [0, 100];
  const calls: string[] = [];
  const ws = {
    readyState: 1,
    isPaused: false,
    getBufferedAmount: () => buffered,
    close: (code: number) => calls.push(`close ${code}`),
    terminate: () => calls.push("terminate"),
  };
  const connection = new WebSocketConnection(
    ws as unknown as ServerWebSocket<SocketData>,
    () => now,
    new SharedFrameBudget(() => now).open(),
  );
  connection.close({ ending: "stop", code: 1000, reason: "stop" });
  for (now = 0; now <= 60_000; now += 4_000) {
    buffered -= 1;
    connection.sweep(now);
  }
  expect(calls).toEqual([]);
  connection.sweep((now += 8_000));
  expect(calls).toEqual(["terminate"]);
});

test("a client whose session is over is disconnected when it does not read and its pings are many, or sooner as a slow reader", () => {
  let [now, buffered] = [0, 100];
  const calls: string[] = [];
  const ws = {
    readyState: 1,
    isPaused: false,
    getBufferedAmount: () => buffered,
    terminate: () => calls.push(`terminate at ${now}`),
  };
  const connect = () =>
    new WebSocketConnection(
      ws as unknown as ServerWebSocket<SocketData>,
      () => now,
      new SharedFrameBudget(() => now).open(),
    );
  const flooding = connect();
  flooding.pinged();
  flooding.close({ ending: "stop", code: 1000, reason: "stop" });
  for (let i = 0; i < 1_000 && calls.length === 0; i++) {
    buffered += 127;
    flooding.pinged();
  }
  expect(calls).toEqual(["terminate at 0"]);
  expect(buffered).toBeLessThan(70_000);
  const slow = connect();
  slow.close({ ending: "slow_reader", code: 1008, reason: "slow_reader" });
  for (now = 500; calls.length === 1; now += 500) slow.sweep(now);
  expect(calls[1]).toBe("terminate at 4000");
});

test("the last messages of a dialect are sent before the close", () => {
  const sent: unknown[] = [];
  const ws = {
    readyState: 1,
    isPaused: false,
    getBufferedAmount: () => 0,
    sendText: (text: string) => sent.push(text),
    close: (code: number) => sent.push(code),
  };
  const connection = new WebSocketConnection(
    ws as unknown as ServerWebSocket<SocketData>,
    () => 0,
    new SharedFrameBudget(() => 0).open(),
  );
  connection.close({ ending: "stop", code: 1000, reason: "stop", last: ["one", "two"] });
  expect(sent).toEqual(["one", "two", 1000]);
});

test("a busy client still gets the error, stopped and the close code of a limit, while it goes on sending", async () => {
  await using server = await InProcessServer.start({ "limits.session_ms": 1_000 });
  const audio = encode("s16", noise(0.02));
  // Bun's timers have a period of 4 s: the clients are spread over it.
  const clients = Array.from({ length: 8 }, async (_, n) => {
    await Bun.sleep(500 * n);
    const client = await server.connect({ path: "/api/v1/simple" });
    client.start();
    await client.nextEvent("started");
    client.pause();
    // Less than the server waits for its peers after the limit.
    for (const until = performance.now() + 3_600; performance.now() < until;) {
      await client.sendAudio(audio).catch(() => {});
      await Bun.sleep(20);
    }
    client.resume();
    expect(await client.waitForClose()).toEqual({ code: 1008, reason: "session_limit" });
    const { stopped } = expectExactLedger(client.events);
    expect(stopped).toMatchObject({ reason: "limit", channels: [{ failed: 0 }] });
  });
  await Promise.all(clients);
});

test("a frame or text that breaks the WebSocket protocol is the cause in the log and in the metrics; a client cannot claim it", async () => {
  await using server = await InProcessServer.start();
  const ends = [
    Buffer.from([0xf1, 0x80, 0, 0, 0, 0]),
    encodeFrame(OPCODE.text, Buffer.from([0xff])),
    encodeFrame(OPCODE.close, Buffer.concat([Buffer.from([3, 234]), Buffer.from("Received invalid opcode")])),
  ];
  for (const bytes of ends) {
    const client = await server.connect();
    client.start();
    await client.nextEvent("started");
    await client.write(bytes);
    await client.waitForClose();
  }
  await server.waitUntilIdle();
  const causes = server.logged("stream_stopped").map(({ violation }) => violation);
  expect(causes).toEqual(["protocol_error", "protocol_error", undefined]);
  const metrics = await ScrapedMetrics.from(server.url);
  expect(metrics.value("streamer_sessions_closed_total", { reason: "protocol_error" })).toBe(2);
});

test("a message above twice the limit is closed by the transport with 1009; its ledger and the cause are in the log", async () => {
  await using server = await InProcessServer.start({
    "limits.max_message_bytes": 65_536,
    "limits.max_text_bytes": 8_192,
  });
  const client = await server.connect({ path: "/api/v1/simple" });
  client.start();
  await client.sendAudio(encode("s16", noise(0.7)));
  await client.nextEvent("segment");
  await client.sendAudio(Buffer.alloc(2 * 65_536 + 1)).catch(() => {});
  expect((await client.waitForClose()).code).toBe(1009);
  expect(client.events.map(({ type }) => type)).toEqual(["started", "segment"]);
  await server.waitUntilIdle();
  expect(server.logged("stream_stopped")).toMatchObject([
    {
      reason: "vanished",
      violation: "message_too_big",
      ledger: [{ received: 11_200, inferred: 8_000, failed: 3_200 }],
    },
  ]);
});
