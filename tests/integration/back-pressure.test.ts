import { describe, expect, setDefaultTimeout, test } from "bun:test";

import { encode, noise, seeded } from "../support/audio.ts";
import { expectAllReadSlowly, Flood, INBOX_BYTES, inboxBytes, MANY_RESULTS } from "../support/back-pressure.ts";
import { encodeFrame, OPCODE } from "../support/frames.ts";
import { InProcessServer } from "../support/in-process-server.ts";
import { expectExactLedger, ledgerProblems, streamsOf } from "../support/ledgers.ts";
import { S16_MONO } from "../support/requests.ts";
import { waitUntil } from "../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const MIB = 1024 * 1024;
const SIMPLE = { path: "/api/v1/simple" };

describe("a client that sends faster than the model works", () => {
  test("is slowed down by TCP flow control, and memory use does not grow with what it sends", async () => {
    await using server = await InProcessServer.start({ "model.delay": 0.002, "limits.read_ahead_seconds": 2 });
    const client = await server.connect(SIMPLE);
    client.start();
    const flood = new Flood(client, encode("s16", noise(1)));
    await flood.until(5 * MIB, server);
    const most = await flood.until(30 * MIB, server);
    // One message of 32,000 bytes may exceed the limit, and Bun has read up to 512 KiB when it is paused.
    expect(most).toBeWithin(INBOX_BYTES / 2, INBOX_BYTES + MIB);
    expect((await server.info()).arena.used_slabs).toBeLessThanOrEqual(Math.ceil(40_000 / 4_096) + 2);
    const bytes = await flood.stop();
    client.stop();
    await client.nextEvent("stopped");
    expectExactLedger(client.events, { bytes, frameBytes: 2 });
  });

  test("is slowed down when its messages are tiny", async () => {
    await using server = await InProcessServer.start({
      "model.delay": 0.05,
      "model.warmup_penalty": 0,
      "limits.read_ahead_seconds": 0.5,
    });
    const client = await server.connect(SIMPLE);
    client.start();
    const frame = encodeFrame(OPCODE.binary, Buffer.alloc(2, 1));
    const frames = Buffer.concat(Array.from({ length: 20_000 }, () => frame));
    let most = 0;
    for (let i = 0; i < 10; i++) {
      await client.write(frames);
      most = Math.max(most, await inboxBytes(server));
    }
    client.stop();
    await client.nextEvent("stopped");
    // Bun hands over what it has read at once: up to 512 KiB, which are 65,536 of these frames. Each counts 130 bytes.
    expect(most).toBeWithin(INBOX_BYTES / 2, INBOX_BYTES + 65_536 * 130);
    expectExactLedger(client.events, { bytes: 10 * 40_000, frameBytes: 2 });
  });

  test("does not slow down other clients", async () => {
    await using server = await InProcessServer.start({ "model.delay": 0.01, "limits.read_ahead_seconds": 1 });
    const greedy = await server.connect(SIMPLE);
    greedy.start();
    const flood = new Flood(greedy, encode("s16", noise(1)));
    for (let i = 0; i < 5; i++) {
      using client = await server.connect(SIMPLE);
      await client.sendStream(encode("s16", noise(1)));
      expectExactLedger(client.events, { bytes: 32_000, frameBytes: 2 });
    }
    greedy.reset();
    await flood.stop();
    await server.waitUntilIdle();
  });
});

describe("a client that reads its results slowly", () => {
  test("but steadily gets all of them", async () => {
    await using server = await InProcessServer.start(MANY_RESULTS);
    await expectAllReadSlowly(server, SIMPLE, 200);
  });

  test("and then not at all is no longer read from, however much it sends", async () => {
    await using server = await InProcessServer.start({ ...MANY_RESULTS, "limits.read_ahead_seconds": 0.5 });
    const clients = await Promise.all(Array.from({ length: 4 }, () => server.connect(SIMPLE)));
    const chunk = Buffer.alloc(16 * 40_000, 128);
    const floods: Flood[] = [];
    for (const client of clients) {
      client.start({ format: { channels: 16, sample_rate: 4_000, bit_depth: 8, is_float: false } });
      await client.nextEvent("started");
      client.pause();
      floods.push(new Flood(client, chunk));
    }
    const totalBytes = (): number => floods.reduce((sum, { sentBytes }) => sum + sentBytes, 0);
    let previous = -1;
    await waitUntil("the server to read nothing for 500 ms", async () => {
      const unchanged = totalBytes() === previous;
      previous = totalBytes();
      await Bun.sleep(500);
      return unchanged;
    });
    expect(server.sessions).toBe(4);
    // For each of 16 channels: half a second of read-ahead, an incomplete block and an incomplete slab.
    expect((await server.info()).arena.used_slabs).toBeLessThanOrEqual(4 * 16 * 4);
    for (const client of clients) client.reset();
    for (const flood of floods) await flood.stop();
    await server.waitUntilIdle();
  });
});

describe("60 clients at once", () => {
  test("with random channels, chunks, flushes, restarts and disconnects leak no memory, and get all results if they stay", async () => {
    await using server = await InProcessServer.start({
      "model.workers": 2,
      "model.delay": 0.001,
      "limits.arena_mb": 2,
      "limits.read_ahead_seconds": 1,
      "vad.max_utterance_ms": 1_000,
    });
    const random = seeded(42);
    const below = (limit: number): number => Math.floor(random() * limit);
    const runClient = async (): Promise<void> => {
      const path = ["/api/v1/simple", "/api/v1/segmented", "/api/v1/stateful"][below(3)]!;
      const client = await server.connect({ path });
      const channels = 1 + below(3);
      const end = below(4);
      for (let stream = 0; stream <= below(3); stream++) {
        client.start({ format: { ...S16_MONO, channels } });
        for (let chunk = 0; chunk < 8; chunk++) {
          await client.sendAudio(
            Buffer.from(encode("s16", noise(0.4, { seed: below(1_000), level: 0.3 })).subarray(below(50))),
          );
          if (random() < 0.2) client.flush();
        }
      }
      if (end === 0) return client.reset();
      if (end === 1) return client.halfClose();
      client.stop({ disconnect: end === 2 });
      await client.nextEvent("stopped", ({ reason }) => reason === "stop");
      for (const stream of streamsOf(client.events)) expect(ledgerProblems(stream)).toEqual([]);
      expect(client.eventsOf("error")).toEqual([]);
      client.sendClose();
    };
    await Promise.all(Array.from({ length: 60 }, runClient));
    await server.waitUntilIdle();
  });
});
