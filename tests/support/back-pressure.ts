import { expect } from "bun:test";

import { encode, noise } from "./audio.ts";
import { encodeFrame, OPCODE } from "./frames.ts";
import type { InProcessServer } from "./in-process-server.ts";
import { expectExactLedger } from "./ledgers.ts";
import { waitUntil } from "./wait.ts";
import type { ConnectOptions, WebSocketClient } from "./websocket-client.ts";

/** Inbox of a session by default: limits.inbox_bytes. */
export const INBOX_BYTES = 262_144;
/** Settings with which a client that does not read is held back soon: blocks of 20 ms, a small outbox. */
export const MANY_RESULTS = { "simple.block_ms": 20, "limits.outbox_bytes": 65_536 };
const RESULTS_A_SECOND = 50;

/** Bytes of received messages that no session has decoded, with what keeping each costs. */
export async function inboxBytes(server: InProcessServer): Promise<number> {
  return (await server.metrics()).value("streamer_inbox_bytes");
}

/** A client that sends the same chunk again and again, as fast as the kernel takes it. */
export class Flood {
  /** Bytes of audio that the kernel has taken. */
  sentBytes = 0;
  #stopped = false;
  readonly #done: Promise<void>;

  constructor(client: WebSocketClient, chunk: Uint8Array) {
    this.#done = this.#send(client, chunk);
  }

  /** Stops sending and returns the number of bytes sent. */
  async stop(): Promise<number> {
    this.#stopped = true;
    await this.#done;
    return this.sentBytes;
  }

  /** Waits until so many bytes have been sent. Returns the most that was in the inboxes of the server meanwhile. */
  async until(bytes: number, server: InProcessServer): Promise<number> {
    let most = 0;
    await waitUntil(`${bytes} bytes to be sent`, async () => {
      most = Math.max(most, await inboxBytes(server));
      return this.sentBytes > bytes;
    });
    return most;
  }

  async #send(client: WebSocketClient, chunk: Uint8Array): Promise<void> {
    const frame = encodeFrame(OPCODE.binary, chunk);
    try {
      while (!this.#stopped) {
        await client.write(frame);
        this.sentBytes += chunk.length;
      }
    } catch {
      // The connection has ended.
    }
  }
}

/** Expects all results of so many seconds, with MANY_RESULTS, for a client that reads a little now and then. */
export async function expectAllReadSlowly(server: InProcessServer, options: ConnectOptions, seconds: number) {
  const client = await server.connect(options);
  client.start();
  await client.nextEvent("started");
  const bytes = encode("s16", noise(seconds));
  client.pause();
  const sending = client.sendInChunks(bytes, () => 64_000);
  for (let i = 0; i < 10; i++) {
    await Bun.sleep(20);
    client.resume();
    await Bun.sleep(5);
    client.pause();
  }
  client.resume();
  await sending;
  client.stop();
  await client.nextEvent("stopped");
  expect(client.eventsOf("segment")).toHaveLength(RESULTS_A_SECOND * seconds);
  expectExactLedger(client.events, { bytes: bytes.length, frameBytes: 2 });
}
