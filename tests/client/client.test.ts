import { afterEach, expect, test } from "bun:test";

import { type Client, connect } from "../../src/client/client.ts";
import { ConnectionError, StartRefused } from "../../src/client/errors.ts";
import type { ReceivedEvent } from "../../src/client/event-reader.ts";
import type { ClientSocket } from "../../src/client/socket.ts";
import { waitUntil } from "../support/wait.ts";
import {
  fakeServer,
  FORMAT,
  rejection,
  replying,
  sendEvent,
  type ServerScript,
  type Socket,
  startedEvent,
} from "../support/wire.ts";

const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

function serve(script: ServerScript): string {
  const { url, stop } = fakeServer(script);
  cleanups.push(stop);
  return url;
}

async function until(client: Client, type: string): Promise<ReceivedEvent> {
  for await (const received of client.events) if (received.event.type === type) return received;
  throw new Error(`the events ended without ${type}`);
}

test("streams follow each other on one connection", async () => {
  const received: unknown[] = [];
  const url = serve(
    replying({
      text: (_, { request }) => received.push(request),
      audio: (_, bytes) => received.push([...bytes]),
    }),
  );
  using client = await connect(url, { format: FORMAT });
  expect((await client.started()).stream).toBe(0);
  await client.send(Uint8Array.of(1, 2));
  client.flush();
  client.keepAlive();
  await client.send(Uint8Array.of(3));
  expect(client.sentBytes).toBe(3);
  client.stop();
  await until(client, "stopped");
  client.start({ format: FORMAT });
  expect(client.sentBytes).toBe(0);
  expect((await client.started()).stream).toBe(1);
  client.stop();
  await until(client, "stopped");
  expect(received).toEqual(["start", [1, 2], "flush", "keep_alive", [3], "stop", "start", "stop"]);
});

test("an event has its text as received and the time of arrival on the given clock", async () => {
  let now = 5;
  const text = '{ "type":"active", "time":0.25, "channel":0, "later":"field" }';
  const url = serve(replying({ audio: (socket) => socket.send(text) }));
  using client = await connect(url, { format: FORMAT }, { now: () => now });
  await client.started();
  now = 1234;
  await client.send(Uint8Array.of(0, 0));
  expect(await until(client, "active")).toMatchObject({
    text,
    receivedMs: 1234,
    event: { time: 0.25 },
    audio: undefined,
  });
});

test("audio that follows an event is delivered with it", async () => {
  const samples = Float32Array.of(0.5, -0.25, 1);
  const segment = { type: "segment", start_time: 0, end_time: 1, channel: 0, audio: { bytes: 12, sample_rate: 8000 } };
  const url = serve(
    replying({
      audio(socket) {
        sendEvent(socket, segment);
        socket.send(samples);
        sendEvent(socket, { type: "active", time: 2, channel: 0 });
      },
    }),
  );
  using client = await connect(url, { format: FORMAT });
  await client.send(Uint8Array.of(0, 0));
  expect((await until(client, "segment")).audio).toEqual(samples);
  expect((await until(client, "active")).audio).toBeUndefined();
});

for (const [what, answer] of [
  ["audio that no event announced", (socket: Socket) => socket.send(new Uint8Array(4))],
  ["text that is not an event", (socket: Socket) => socket.send("hello")],
  ["an event with invalid fields", (socket: Socket) => sendEvent(socket, { type: "active", time: -1, channel: 0 })],
] as const) {
  test(`${what} ends the events with a protocol error`, async () => {
    const url = serve(replying({ audio: answer }));
    using client = await connect(url, { format: FORMAT });
    await client.send(Uint8Array.of(0, 0));
    expect(await rejection(until(client, "stopped"))).toMatchObject({ name: "ConnectionError", code: "protocol" });
    expect(await rejection(client.send(Uint8Array.of(0)))).toBeInstanceOf(ConnectionError);
  });
}

test("connect rejects with cannot_connect if nothing listens or the upgrade is refused", async () => {
  const url = serve({});
  for (const address of ["ws://localhost:1/", `${url}full`]) {
    expect(await rejection(connect(address, { format: FORMAT }))).toMatchObject({ code: "cannot_connect" });
  }
});

test("a refused start rejects started with the server's error, and the connection can start again", async () => {
  let refused = false;
  const url = serve({
    text(socket, { request }) {
      if (request !== "start") return;
      if (refused) return sendEvent(socket, startedEvent({}));
      refused = true;
      sendEvent(socket, { type: "error", code: "unknown_model", message: "no model x", fatal: false, param: "model" });
    },
  });
  using client = await connect(url, { format: FORMAT, model: "x" });
  const refusal = await rejection(client.started());
  expect(refusal).toBeInstanceOf(StartRefused);
  expect(refusal).toMatchObject({ message: "unknown_model: no model x", event: { param: "model" } });
  client.start({ format: FORMAT });
  expect((await client.started()).type).toBe("started");
});

test("a connection lost within a stream is an error with the close code and reason", async () => {
  const url = serve(replying({ audio: (socket) => socket.close(1013, "overloaded") }));
  using client = await connect(url, { format: FORMAT });
  await client.send(Uint8Array.of(0, 0));
  const lost = until(client, "stopped");
  expect(await rejection(lost)).toMatchObject({ code: "closed", closeCode: 1013, closeReason: "overloaded" });
  expect(client.isOpen).toBe(false);
  expect(() => client.stop()).toThrow("1013: overloaded");
});

test("started rejects when the connection closes before the reply", async () => {
  const url = serve({ text: (socket) => socket.close(1011) });
  using client = await connect(url, { format: FORMAT });
  expect(await rejection(client.started())).toMatchObject({ code: "closed", closeCode: 1011 });
  expect(await rejection(client.started())).toMatchObject({ code: "closed" });
});

test("a close after stopped ends the events cleanly", async () => {
  const url = serve(replying({ text: (socket, { disconnect }) => void (disconnect === true && socket.close(1000)) }));
  using client = await connect(url, { format: FORMAT });
  client.stop({ disconnect: true });
  const types: string[] = [];
  for await (const { event } of client.events) types.push(event.type);
  expect(types).toEqual(["started", "stopped"]);
});

test("unread events are kept up to a limit, then the connection is closed", async () => {
  const url = serve(
    replying({
      audio: (socket) => {
        for (let i = 0; i < 20; i++) sendEvent(socket, { type: "active", time: i, channel: 0 });
      },
    }),
  );
  using client = await connect(url, { format: FORMAT }, { maxQueuedEvents: 8 });
  await client.started();
  await client.send(Uint8Array.of(0, 0));
  while (client.isOpen) await new Promise((resolve) => setTimeout(resolve, 1));
  let read = 0;
  const reading = async () => {
    for await (const _ of client.events) read += 1;
  };
  expect(await rejection(reading())).toMatchObject({ code: "not_read" });
  expect(read).toBe(8);
});

test("send waits while the server does not read, and buffers no more than its limit", async () => {
  let socket: Socket | undefined;
  const url = serve(
    replying({
      open(opened) {
        socket = opened;
        opened.pause();
      },
    }),
  );
  const limit = 256 * 1024;
  using client = await connect(url, { format: FORMAT }, { maxBufferedBytes: limit });
  const message = new Uint8Array(64 * 1024);
  let sent = 0;
  let done = false;
  const total = 1000;
  const sending = (async () => {
    for (; sent < total; sent++) await client.send(message);
    done = true;
  })();
  // The kernel buffers some megabytes; 64 MB never fit.
  let before = -1;
  while (before !== sent) {
    before = sent;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  expect(done).toBe(false);
  expect(sent).toBeLessThan(total / 2);
  socket?.resume();
  await sending;
  expect(client.sentBytes).toBe(total * message.length);
});

test("a waiting send rejects when the connection ends", async () => {
  let socket: Socket | undefined;
  const url = serve({
    open(opened) {
      socket = opened;
      opened.pause();
    },
  });
  using client = await connect(url, { format: FORMAT }, { maxBufferedBytes: 1024 });
  const sending = (async () => {
    for (;;) await client.send(new Uint8Array(256 * 1024));
  })();
  setTimeout(() => socket?.terminate(), 50);
  expect(await rejection(sending)).toBeInstanceOf(ConnectionError);
});

test("connecting is given up when the signal is aborted, even if the server is silent", async () => {
  using silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } });
  const abort = new AbortController();
  const connecting = rejection(connect(`ws://127.0.0.1:${silent.port}/`, { format: FORMAT }, { signal: abort.signal }));
  setTimeout(() => abort.abort("given up"), 1);
  expect(await connecting).toBe("given up");
  const after = connect(`ws://127.0.0.1:${silent.port}/`, { format: FORMAT }, { signal: abort.signal });
  expect(await rejection(after)).toBe("given up");
});

test("a waiting send is given up when its signal is aborted, and its audio is not sent", async () => {
  const url = serve({ open: (socket) => void socket.pause() });
  using client = await connect(url, { format: FORMAT }, { maxBufferedBytes: 1024 });
  const abort = new AbortController();
  let sent = 0;
  const sending = (async () => {
    for (; ; sent += 256 * 1024) await client.send(new Uint8Array(256 * 1024), { signal: abort.signal });
  })();
  setTimeout(() => abort.abort("interrupted"), 50);
  expect(await rejection(sending)).toBe("interrupted");
  expect(client.sentBytes).toBe(sent);
  expect(client.isOpen).toBe(true);
});

test("an aborted connection ends its events and requests at once with the error", async () => {
  const client = await connect(serve({}), { format: FORMAT });
  const error = new ConnectionError("timeout", "no answer");
  const reading = rejection(until(client, "started"));
  client.abort(error);
  expect(await reading).toBe(error);
  expect(await rejection(client.started())).toBe(error);
  expect(await rejection(client.send(new Uint8Array(2)))).toBe(error);
});

/** A socket whose network takes what it is told to. */
class SlowSocket implements ClientSocket {
  readyState = 1;
  bufferedAmount = 0;
  onmessage: ClientSocket["onmessage"] = null;
  onclose: ClientSocket["onclose"] = null;
  readonly sent: unknown[] = [];

  send(data: string | Uint8Array): void {
    this.sent.push(typeof data === "string" ? (JSON.parse(data) as { request: string }).request : data[0]);
    if (typeof data !== "string") this.bufferedAmount = 2;
  }

  close(code = 1000, reason = ""): void {
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }
}

test("audio that is given without waiting is sent in its order, and requests behind it", async () => {
  const socket = new SlowSocket();
  const options = { openSocket: () => Promise.resolve(socket), maxBufferedBytes: 1 };
  using client = await connect("ws://nowhere/", { format: FORMAT }, options);
  const sends = [1, 2, 3].map((value) => client.send(Uint8Array.of(value)));
  client.flush();
  const aborting = new AbortController();
  const aborted = client.send(Uint8Array.of(4), { signal: aborting.signal });
  sends.push(client.send(Uint8Array.of(5)));
  client.stop();
  client.start({ format: FORMAT });
  expect(socket.sent).toEqual(["start", 1]);
  aborting.abort(new Error("given up"));
  expect(await rejection(aborted)).toMatchObject({ message: "given up" });
  const drain = setInterval(() => (socket.bufferedAmount = 0), 1);
  try {
    await Promise.all(sends);
    const started = client.started();
    await waitUntil("the last request", () => socket.sent.length === 8);
    socket.onmessage?.({ data: JSON.stringify(startedEvent({ stream: 0 })) });
    socket.onmessage?.({ data: JSON.stringify(startedEvent({ stream: 1 })) });
    expect((await started).stream).toBe(1);
  } finally {
    clearInterval(drain);
  }
  expect(socket.sent).toEqual(["start", 1, 2, 3, "flush", 5, "stop", "start"]);
});

test("audio that waits when the connection ends is not sent, and every send says so", async () => {
  const socket = new SlowSocket();
  const options = { openSocket: () => Promise.resolve(socket), maxBufferedBytes: 1 };
  const client = await connect("ws://nowhere/", { format: FORMAT }, options);
  const sends = [1, 2, 3].map((value) => client.send(Uint8Array.of(value)));
  client.stop();
  client.close();
  expect((await Promise.allSettled(sends)).map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected"]);
  expect(await rejection(client.started())).toMatchObject({ code: "closed" });
  expect(socket.sent).toEqual(["start", 1]);
});
