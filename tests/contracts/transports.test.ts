import { describe, expect, setDefaultTimeout, test } from "bun:test";

import { GrpcSocket } from "../../src/client/grpc/grpc-socket.ts";
import type { ClientTls } from "../../src/client/tls.ts";
import { parseEvent, type ServerEvent } from "../../src/protocol/events.ts";
import { concat, encode, freshSeed, noise, seeded, speech } from "../support/audio.ts";
import { Authority, credentialsOf } from "../support/certificates.ts";
import { summarize } from "../support/event-summary.ts";
import { encodeFrame, OPCODE } from "../support/frames.ts";
import { InProcessServer, type ServerOptions, type Settings } from "../support/in-process-server.ts";
import { chunkInvariantEvents, expectExactLedger, onlyStream } from "../support/ledgers.ts";
import { freePort } from "../support/proxies.ts";
import { START } from "../support/requests.ts";
import { waitUntil, withTimeout } from "../support/wait.ts";
import { type ConnectOptions, WebSocketClient } from "../support/websocket-client.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

/** The client side of a connection. */
interface Client {
  /** Sends one message. Resolves when the kernel has taken it. */
  send(message: string | Uint8Array): Promise<void>;
  /** Text messages received so far. */
  readonly texts: readonly string[];
  /** Resolves when the server has closed the connection. */
  readonly closed: Promise<unknown>;
  /** Ends the connection without a close of the transport. */
  reset(): void;
}

interface Transport {
  /** Settings of a server that accepts this transport. */
  readonly settings: Settings;
  readonly options?: ServerOptions;
  /** Connects to the native protocol, with the pattern `segmented`. */
  connect(server: InProcessServer): Promise<Client>;
}

async function connectWebSocket(server: InProcessServer, options: ConnectOptions = {}): Promise<Client> {
  const client = await WebSocketClient.connect(server.port, options);
  return {
    send: (message) =>
      client.write(encodeFrame(typeof message === "string" ? OPCODE.text : OPCODE.binary, Buffer.from(message))),
    get texts() {
      return client.events.map((event) => JSON.stringify(event));
    },
    closed: client.waitForClose(),
    reset: () => client.reset(),
  };
}

/** The port of gRPC, which is not asked for from the system: `info` has no ports that the system has chosen. */
const grpcPort = await freePort();

async function connectGrpc(pattern: string, tls?: ClientTls): Promise<Client> {
  const socket = await GrpcSocket.open({ target: `localhost:${grpcPort}`, pattern, tls });
  const texts: string[] = [];
  const closed = Promise.withResolvers<unknown>();
  socket.onmessage = ({ data }) => void (typeof data === "string" && texts.push(data));
  socket.onclose = closed.resolve;
  return {
    async send(message) {
      socket.send(message);
      while (socket.bufferedAmount > 0 && socket.readyState === WebSocket.OPEN) await Bun.sleep(1);
    },
    texts,
    closed: closed.promise,
    reset: () => socket.close(),
  };
}

const authority = await Authority.create();
const tls = credentialsOf(await authority.issue());

/** Every transport. */
const TRANSPORTS: Readonly<Record<string, Transport>> = {
  websocket: { settings: {}, connect: connectWebSocket },
  "websocket over TLS": {
    settings: {},
    options: { tls },
    connect: (server) => connectWebSocket(server, { tls: { ca: authority.cert } }),
  },
  gRPC: { settings: { "grpc.port": grpcPort }, connect: () => connectGrpc("segmented") },
  "gRPC over TLS": {
    settings: { "grpc.port": grpcPort },
    options: { tls },
    connect: () => connectGrpc("segmented", { ca: authority.cert }),
  },
};

const DISCONNECT = JSON.stringify({ request: "stop", disconnect: true });
const seed = freshSeed();

const eventsOf = ({ texts }: Client): ServerEvent[] => texts.map(parseEvent);

function summariesOf(client: Client): string[] {
  return eventsOf(client).map(summarize);
}

/** Waits until the client has an event of this type. */
async function waitForEvent(client: Client, type: string): Promise<void> {
  await waitUntil(type, () => eventsOf(client).some((event) => event.type === type));
}

/** Cuts bytes into chunks of random sizes from 0 to 100,000. */
function* chunksOf(bytes: Uint8Array): Generator<Uint8Array> {
  const random = seeded(seed);
  for (let at = 0; at < bytes.length;) {
    const end = at + Math.floor(random() ** 4 * 100_000);
    yield bytes.subarray(at, end);
    at = end;
  }
}

async function sendAll(client: Client, messages: Iterable<string | Uint8Array>): Promise<void> {
  for (const message of messages) await client.send(message);
}

for (const [name, { settings, options, connect }] of Object.entries(TRANSPORTS)) {
  describe(`the transport ${name} (seed ${seed})`, () => {
    const start = (more: Settings = {}) => InProcessServer.start({ ...settings, ...more }, options);

    test("delivers all messages in order, whatever their sizes, and closes after the last event", async () => {
      await using server = await start();
      const bytes = encode("s16", speech([0.6, 0.4]));
      const results: unknown[] = [];
      for (const messages of [[bytes], chunksOf(bytes)]) {
        const client = await connect(server);
        await sendAll(client, [START, ...messages, DISCONNECT]);
        await withTimeout("the close", client.closed);
        const { stopped } = expectExactLedger(eventsOf(client), { bytes: bytes.length, frameBytes: 2 });
        expect(stopped).toMatchObject({ reason: "stop", channels: [{ segments: 2 }] });
        results.push(chunkInvariantEvents(eventsOf(client)));
      }
      expect(results[1]).toEqual(results[0]);
      await server.waitUntilIdle();
    });

    test("accepts messages up to the limit, and delivers the error about a larger one before the close", async () => {
      await using server = await start({ "limits.max_message_bytes": 100_000 });
      const client = await connect(server);
      await sendAll(client, [START, new Uint8Array(100_000), new Uint8Array(100_001)]);
      await withTimeout("the close", client.closed);
      expect(summariesOf(client)).toEqual(["started", "error message_too_big", "stopped limit"]);
      expect(onlyStream(eventsOf(client)).stopped.channels[0]?.received).toBe(50_000);
    });

    test("is not read from while the model is busy, and nothing is lost", async () => {
      const small = { "limits.read_ahead_seconds": 1, "limits.inbox_bytes": 4_096, "vad.max_utterance_ms": 1_000 };
      await using server = await start({ "model.delay": 0.05, ...small });
      const client = await connect(server);
      const bytes = encode("s16", concat(...Array.from({ length: 12 }, () => speech([0.5]))));
      await sendAll(client, [START, ...chunksOf(bytes), DISCONNECT]);
      await withTimeout("the close", client.closed);
      expect((await server.metrics()).value("streamer_pauses_total")).toBeGreaterThan(0);
      expectExactLedger(eventsOf(client), { bytes: bytes.length, frameBytes: 2 });
    });

    test("ends the session of a client that disconnects during a stream, and frees its memory", async () => {
      await using server = await start();
      const client = await connect(server);
      await sendAll(client, [START, encode("s16", noise(3))]);
      await waitForEvent(client, "started");
      client.reset();
      await server.waitUntilIdle();
      expect(server.logged("stream_stopped")[0]).toMatchObject({ reason: "vanished" });
    });

    test("refuses a client while the server is full, and accepts one when a session has ended", async () => {
      await using server = await start({ "limits.max_sessions": 1 });
      const first = await connect(server);
      await sendAll(first, [START]);
      await waitForEvent(first, "started");
      const second = await connect(server).catch(() => undefined);
      await withTimeout("the refusal", second?.closed ?? Promise.resolve());
      const metrics = await server.metrics();
      expect(metrics.value("streamer_sessions_refused_total", { reason: "overloaded" })).toBe(1);
      expect(server.sessions).toBe(1);
      first.reset();
      await server.waitUntilIdle();
      const third = await connect(server);
      await sendAll(third, [START, DISCONNECT]);
      await withTimeout("the close", third.closed);
    });

    test("delivers the results of open streams when the server shuts down", async () => {
      await using server = await start({ "limits.drain": "now" });
      const client = await connect(server);
      const bytes = encode("s16", speech([0.6]));
      await sendAll(client, [START, bytes]);
      await waitForEvent(client, "segment");
      await server.drain();
      await withTimeout("the close", client.closed);
      expect(summariesOf(client).slice(-2)).toEqual(["warning draining", "stopped drain"]);
      expectExactLedger(eventsOf(client), { bytes: bytes.length, frameBytes: 2 });
    });
  });
}
