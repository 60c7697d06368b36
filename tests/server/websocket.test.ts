import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";

import type { ServerWebSocket } from "bun";

import { type SocketData, WebSocketConnection } from "../../src/server/websocket.ts";
import { concat, encode, noise, seeded, speech } from "../support/audio.ts";
import { encodeFrame, OPCODE } from "../support/frames.ts";
import { Running } from "../support/in-process.ts";
import { invariant, problemsOf, streamsOf } from "../support/ledgers.ts";
import { waitUntil } from "../support/wait.ts";

// Many times what any of these takes: a busy machine is not a fault.
setDefaultTimeout(120_000);

let running: Running;

beforeAll(async () => {
  running = await Running.start();
});

afterAll(async () => {
  await running[Symbol.asyncDispose]();
});

const words = encode("s16", speech([0.6]));

describe("the wire", () => {
  test("frames cut into single bytes, messages in fragments with pings between, all mean the same", async () => {
    const told: unknown[] = [];
    for (const way of ["whole", "pieces", "fragments"]) {
      using peer = await running.connect();
      peer.start();
      if (way === "whole") await peer.audio(words);
      else if (way === "fragments") {
        await peer.fragments(OPCODE.binary, [words.subarray(0, 1), words.subarray(1, 1_001), words.subarray(1_001)]);
      } else {
        const frame = encodeFrame(OPCODE.binary, words);
        for (let at = 0; at < 16; at++) await peer.write(frame.subarray(at, at + 1));
        await peer.write(frame.subarray(16, 40_000));
        await peer.write(frame.subarray(40_000));
      }
      peer.stop();
      await peer.next("stopped");
      told.push(invariant(peer.events));
    }
    expect(told[1]).toEqual(told[0]);
    expect(told[2]).toEqual(told[0]);
  });

  test("a request may come in fragments too", async () => {
    using peer = await running.connect();
    const text = Buffer.from(JSON.stringify({ request: "stop" }));
    await peer.fragments(OPCODE.text, [text.subarray(0, 4), text.subarray(4)]);
    expect((await peer.next("error")).code).toBe("no_stream");
  });

  test("several messages in one TCP segment are handled one by one", async () => {
    using peer = await running.connect({ path: "/api/v1/simple" });
    const text = (request: object): Buffer => encodeFrame(OPCODE.text, Buffer.from(JSON.stringify(request)));
    const format = { channels: 1, sample_rate: 16_000, bit_depth: 16, is_float: false };
    await peer.write(
      Buffer.concat([
        text({ request: "start", format }),
        encodeFrame(OPCODE.binary, Buffer.alloc(6_401)),
        encodeFrame(OPCODE.binary, Buffer.alloc(0)),
        text({ request: "stop" }),
        text({ request: "start", format }),
        text({ request: "stop", disconnect: true }),
      ]),
    );
    expect(await peer.close()).toEqual({ code: 1000, reason: "stop" });
    const [first, second] = streamsOf(peer.events);
    expect(problemsOf(first!, { bytes: 6_401, frameBytes: 2 })).toEqual([]);
    expect(second?.stopped.channels[0]?.received).toBe(0);
  });

  test("a frame that breaks the WebSocket protocol ends its own connection only", async () => {
    using other = await running.connect();
    using peer = await running.connect();
    other.start();
    peer.start();
    await peer.next("started");
    await peer.write(Buffer.from([0xf1, 0x80, 0, 0, 0, 0]));
    expect((await peer.close()).code).toBeOneOf([1002, 1006]);
    other.stop();
    expect((await other.next("stopped")).reason).toBe("stop");
  });
});

describe("a client that goes away", () => {
  const ways = {
    "with a close frame": (peer) => peer.leave(),
    "with a reset": (peer) => peer.reset(),
    "by ending its direction": (peer) => peer.halfClose(),
  } as const satisfies Record<string, (peer: Awaited<ReturnType<Running["connect"]>>) => void>;

  for (const [way, go] of Object.entries(ways)) {
    test(`${way} in the middle of an utterance leaves nothing behind but its ledger in the log`, async () => {
      await using server = await Running.start({ "model.delay": 0.05 });
      const peer = await server.connect({ path: "/api/v1/simple" });
      peer.start({ format: { channels: 2, sample_rate: 48_000, bit_depth: 16, is_float: false } });
      await peer.audio(encode("s16", noise(3, { rate: 48_000 }), noise(3, { rate: 48_000 })));
      await peer.next("started");
      go(peer);
      await server.settled();
      const [record] = server.logged("stream_stopped");
      expect(record?.["ledger"]).toHaveLength(2);
    });
  }

  test("while its socket is paused is noticed, and its queued jobs are cancelled", async () => {
    await using server = await Running.start({ "model.delay": 0.2, "limits.read_ahead_seconds": 1 });
    const peer = await server.connect({ path: "/api/v1/simple" });
    peer.start();
    void peer.cut(encode("s16", noise(60)), () => 32_000).catch(() => {});
    await peer.next("segment");
    await waitUntil("the arena is in use", async () => (await server.info()).arena.used_slabs > 0);
    peer.reset();
    await server.settled();
    expect(server.logged("stream_stopped")).toHaveLength(1);
    const next = await server.connect({ path: "/api/v1/simple" });
    next.start();
    await next.audio(encode("s16", noise(0.1)));
    next.stop();
    await next.next("stopped");
  });

  test("that does not answer the close after a fatal error is disconnected after the linger time", async () => {
    await using server = await Running.start({ "limits.max_message_bytes": 1_024 });
    const peer = await server.connect();
    peer.mute = true;
    peer.start();
    await peer.audio(Buffer.alloc(1_025));
    expect((await peer.close()).code).toBe(1009);
    await server.settled();
  });
});

test("a result with many results behind it arrives whole before the close", async () => {
  await using server = await Running.start({ "simple.block_ms": 20 });
  const peer = await server.connect({ path: "/api/v1/simple" });
  const random = seeded(7);
  const bytes = encode("s16", concat(noise(30), noise(1)));
  peer.start();
  await peer.cut(bytes, () => 1 + Math.floor(random() * 60_000));
  peer.stop({ disconnect: true });
  expect((await peer.close()).code).toBe(1000);
  expect(peer.all("segment")).toHaveLength(1_550);
  expect(problemsOf(streamsOf(peer.events)[0]!, { bytes: bytes.length, frameBytes: 2 })).toEqual([]);
});

test("the last messages may take as long as the client keeps reading them", () => {
  let [now, buffered] = [0, 100];
  const said: string[] = [];
  const ws = {
    readyState: 1,
    isPaused: false,
    getBufferedAmount: () => buffered,
    close: (code: number) => said.push(`close ${code}`),
    terminate: () => said.push("terminate"),
  };
  const socket = new WebSocketConnection(ws as unknown as ServerWebSocket<SocketData>, () => now);
  socket.close({ ending: "stop", code: 1000, reason: "stop" });
  for (now = 0; now <= 60_000; now += 4_000) {
    buffered -= 1;
    socket.sweep(now);
  }
  expect(said).toEqual([]);
  socket.sweep((now += 8_000));
  expect(said).toEqual(["terminate"]);
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
  const connection = new WebSocketConnection(ws as unknown as ServerWebSocket<SocketData>, () => 0);
  connection.close({ ending: "stop", code: 1000, reason: "stop", last: ["one", "two"] });
  expect(sent).toEqual(["one", "two", 1000]);
});
