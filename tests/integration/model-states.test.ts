import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { InProcessServer } from "../support/in-process-server.ts";
import { ORDERS } from "../support/models/puppet.ts";
import { modelPath } from "../support/pool-harness.ts";
import { waitUntil } from "../support/wait.ts";
import type { WebSocketClient } from "../support/websocket-client.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const folder = await mkdtemp(join(tmpdir(), "streamer-states-"));
const file = join(folder, "handles");
const server = await InProcessServer.start({
  "model.name": modelPath("handles"),
  "model.workers": 2,
  "model.file": file,
  "stateful.block_ms": 100,
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const FORMAT = { channels: 2, sample_rate: 16_000, bit_depth: 32, is_float: true };
const FRAMES = 1600;

/** Audio of two channels, in blocks of 100 ms that each start with `order`. */
function blocks(count: number, order: number = ORDERS.answer): Uint8Array {
  const samples = new Float32Array(2 * FRAMES * count);
  for (let i = 0; i < count; i++) samples.fill(order, 2 * FRAMES * i, 2 * FRAMES * i + 2);
  return new Uint8Array(samples.buffer);
}

/** Opens a stream of two channels and waits until two blocks of each are answered. */
async function openStream(): Promise<WebSocketClient> {
  const client = await server.connect({ path: "/api/v1/stateful" });
  client.start({ format: FORMAT });
  await client.sendAudio(blocks(2));
  await waitUntil("the blocks are answered", () => client.eventsOf("segment").length === 4);
  return client;
}

async function events(): Promise<string[]> {
  return (await readFile(file, "utf8")).trim().split("\n");
}

/** Runs `end` on an open stream. Returns how its two states were released, with the number of their steps. */
async function releasedBy(end: (client: WebSocketClient) => unknown): Promise<string[]> {
  const { length } = await events();
  const client = await openStream();
  await end(client);
  const released = async () => (await events()).slice(length).filter((event) => !event.startsWith("started"));
  await waitUntil("both states are released", async () => (await released()).length >= 2);
  client[Symbol.dispose]();
  await server.waitUntilIdle();
  return (await released()).map((event) => event.replace(/ \S+/, ""));
}

describe("the state of each channel is released once", () => {
  test("by `finish` when the stream is stopped, and when the next start stops it", async () => {
    expect(await releasedBy((client) => client.stop())).toEqual(["finished 2", "finished 2"]);
    const next = (client: WebSocketClient) => client.start({ format: { ...FORMAT, channels: 1 } });
    expect(await releasedBy(next)).toEqual(["finished 2", "finished 2"]);
  });

  test("by `dispose` when the client disconnects", async () => {
    expect(await releasedBy((client) => client.reset())).toEqual(["disposed 2", "disposed 2"]);
  });

  test("by `dispose` when the client disconnects during a step, after the step", async () => {
    const states = await releasedBy(async (client) => {
      await client.sendAudio(blocks(1, ORDERS.pause));
      client.reset();
    });
    expect(states.every((state) => /^disposed [23]$/.test(state))).toBe(true);
  });

  test("by `dispose` when a limit ends the stream at once", async () => {
    const states = await releasedBy(async (client) => {
      await client.sendAudio(new Uint8Array(1024 * 1024 + 1));
      expect((await client.nextEvent("stopped")).reason).toBe("limit");
    });
    expect(states).toEqual(["disposed 2", "disposed 2"]);
  });
});
