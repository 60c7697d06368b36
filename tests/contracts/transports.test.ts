import { describe, expect, setDefaultTimeout, test } from "bun:test";

import { parseEvent, type ServerEvent } from "../../src/protocol/events.ts";
import { concat, encode, freshSeed, noise, seeded, speech } from "../support/audio.ts";
import { encodeFrame, OPCODE } from "../support/frames.ts";
import { type Keys, Running } from "../support/in-process.ts";
import { invariant, problemsOf, streamsOf } from "../support/ledgers.ts";
import { Peer, S16_MONO } from "../support/peer.ts";
import { ScrapedMetrics } from "../support/scraped-metrics.ts";
import { waitUntil, withTimeout } from "../support/wait.ts";

// Many times longer than any of these takes, so that a busy machine does not fail them.
setDefaultTimeout(60_000);

/** The client's end of a connection. */
interface Client {
  /** Sends one message. Resolves when the kernel has taken it. */
  send(message: string | Uint8Array): Promise<void>;
  /** Text messages received so far. */
  readonly texts: readonly string[];
  /** Resolves when the server has closed the connection. */
  readonly closed: Promise<unknown>;
  /** Breaks the connection off. */
  reset(): void;
}

interface Transport {
  /** Settings with which a server offers it. */
  readonly keys: Keys;
  /** Connects to the native protocol, with the pattern `segmented`. */
  connect(running: Running): Promise<Client>;
}

/** Every transport. */
const TRANSPORTS: Readonly<Record<string, Transport>> = {
  websocket: {
    keys: {},
    async connect(running) {
      const peer = await Peer.connect(running.port);
      return {
        send: (message) =>
          peer.write(encodeFrame(typeof message === "string" ? OPCODE.text : OPCODE.binary, Buffer.from(message))),
        get texts() {
          return peer.events.map((event) => JSON.stringify(event));
        },
        closed: peer.close(),
        reset: () => peer.reset(),
      };
    },
  },
};

const START = JSON.stringify({ request: "start", format: S16_MONO });
const STOP = JSON.stringify({ request: "stop", disconnect: true });
const seed = freshSeed();

const eventsOf = ({ texts }: Client): ServerEvent[] => texts.map(parseEvent);

/** The story of a client: `started`, `error internal`, ... */
function storyOf(client: Client): string[] {
  return eventsOf(client).map((event) => (event.type === "error" ? `error ${event.code}` : event.type));
}

async function received(client: Client, type: string): Promise<void> {
  await waitUntil(type, () => eventsOf(client).some((event) => event.type === type));
}

/** Cuts bytes into messages of random sizes, none and one included. */
function* pieces(bytes: Uint8Array): Generator<Uint8Array> {
  const random = seeded(seed);
  for (let at = 0; at < bytes.length;) {
    const end = at + Math.floor(random() ** 4 * 100_000);
    yield bytes.subarray(at, end);
    at = end;
  }
}

async function play(client: Client, messages: Iterable<string | Uint8Array>): Promise<void> {
  for (const message of messages) await client.send(message);
}

for (const [name, { keys, connect }] of Object.entries(TRANSPORTS)) {
  describe(`the transport ${name} (seed ${seed})`, () => {
    const start = (more: Keys = {}) => Running.start({ ...keys, ...more });

    test("carries a conversation whole and in order, however it is cut, and closes behind the last event", async () => {
      await using running = await start();
      const bytes = encode("s16", speech([0.6, 0.4]));
      const told: unknown[] = [];
      for (const messages of [[bytes], pieces(bytes)]) {
        const client = await connect(running);
        await play(client, [START, ...messages, STOP]);
        await withTimeout("the close", client.closed);
        const [stream] = streamsOf(eventsOf(client));
        expect(problemsOf(stream!, { bytes: bytes.length, frameBytes: 2 })).toEqual([]);
        expect(stream?.stopped).toMatchObject({ reason: "stop", channels: [{ segments: 2 }] });
        told.push(invariant(eventsOf(client)));
      }
      expect(told[1]).toEqual(told[0]);
      await running.settled();
    });

    test("takes messages up to the limit, and delivers the error about a larger one before it closes", async () => {
      await using running = await start({ "limits.max_message_bytes": 100_000 });
      const client = await connect(running);
      await play(client, [START, new Uint8Array(100_000), new Uint8Array(100_001)]);
      await withTimeout("the close", client.closed);
      expect(storyOf(client)).toEqual(["started", "error message_too_big", "stopped"]);
      expect(streamsOf(eventsOf(client))[0]?.stopped.channels[0]?.received).toBe(50_000);
    });

    test("is not read while the model is slow, and nothing is lost", async () => {
      const small = { "limits.read_ahead_seconds": 1, "limits.inbox_bytes": 4_096, "vad.max_utterance_ms": 1_000 };
      await using running = await start({ "model.delay": 0.05, ...small });
      const client = await connect(running);
      const bytes = encode("s16", concat(...Array.from({ length: 12 }, () => speech([0.5]))));
      await play(client, [START, ...pieces(bytes), STOP]);
      await withTimeout("the close", client.closed);
      expect((await ScrapedMetrics.from(running.url)).value("streamer_pauses_total")).toBeGreaterThan(0);
      const [stream] = streamsOf(eventsOf(client));
      expect(problemsOf(stream!, { bytes: bytes.length, frameBytes: 2 })).toEqual([]);
    });

    test("forgets a client that has gone in the middle of a stream", async () => {
      await using running = await start();
      const client = await connect(running);
      await play(client, [START, encode("s16", noise(3))]);
      await received(client, "started");
      client.reset();
      await running.settled();
      expect(running.logged("stream_stopped")[0]).toMatchObject({ reason: "vanished" });
    });

    test("refuses a client when the server is full, and takes the next one when it is not", async () => {
      await using running = await start({ "limits.max_sessions": 1 });
      const first = await connect(running);
      await play(first, [START]);
      await received(first, "started");
      const second = await connect(running).catch(() => undefined);
      await withTimeout("the refusal", second?.closed ?? Promise.resolve());
      const metrics = await ScrapedMetrics.from(running.url);
      expect(metrics.value("streamer_sessions_refused_total", { reason: "overloaded" })).toBe(1);
      expect(running.server.sessions).toBe(1);
      first.reset();
      await running.settled();
      const third = await connect(running);
      await play(third, [START, STOP]);
      await withTimeout("the close", third.closed);
    });

    test("finishes its streams when the server shuts down", async () => {
      await using running = await start();
      const client = await connect(running);
      const bytes = encode("s16", speech([0.6]));
      await play(client, [START, bytes]);
      await received(client, "segment");
      await running.server.drain();
      await withTimeout("the close", client.closed);
      expect(storyOf(client).slice(-2)).toEqual(["warning", "stopped"]);
      const [stream] = streamsOf(eventsOf(client));
      expect(problemsOf(stream!, { bytes: bytes.length, frameBytes: 2 })).toEqual([]);
    });
  });
}
