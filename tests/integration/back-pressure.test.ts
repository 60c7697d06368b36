import { describe, expect, setDefaultTimeout, test } from "bun:test";

import { encode, noise, seeded } from "../support/audio.ts";
import { encodeFrame, OPCODE } from "../support/frames.ts";
import { Running } from "../support/in-process.ts";
import { problemsOf, streamsOf } from "../support/ledgers.ts";
import { type Peer, S16_MONO } from "../support/peer.ts";
import { waitUntil } from "../support/wait.ts";

// Many times what any of these takes: a busy machine is not a fault.
setDefaultTimeout(120_000);

const MIB = 1024 * 1024;
const SIMPLE = { path: "/api/v1/simple" };

/** Resident memory in MiB, after what can be collected is. */
function resident(): number {
  Bun.gc(true);
  return process.memoryUsage.rss() / MIB;
}

/** Writes the same frame until told otherwise; resolves with the bytes of audio that the kernel took. */
function flood(peer: Peer, chunk: Uint8Array): { stop: () => Promise<number>; sent: () => number } {
  const frame = encodeFrame(OPCODE.binary, chunk);
  let going = true;
  let sent = 0;
  const done = (async () => {
    // Ends also when the connection does.
    while (
      going &&
      (await peer.write(frame).then(
        () => true,
        () => false,
      ))
    )
      sent += chunk.length;
    return sent;
  })();
  return {
    stop: () => {
      going = false;
      return done;
    },
    sent: () => sent,
  };
}

describe("a fast sender into a slow model", () => {
  test("is held back through TCP, let go on again and again, and costs no memory however much it sends", async () => {
    await using running = await Running.start({ "model.delay": 0.002, "limits.read_ahead_seconds": 2 });
    const peer = await running.connect(SIMPLE);
    peer.start();
    const { stop, sent } = flood(peer, encode("s16", noise(1)));
    await waitUntil("a first share is sent", () => sent() > 5 * MIB);
    const before = resident();
    await waitUntil("much more is sent", () => sent() > 30 * MIB);
    expect(resident() - before).toBeLessThan(32);
    expect((await running.info()).arena.used_slabs).toBeLessThanOrEqual(Math.ceil(40_000 / 4_096) + 2);
    const bytes = await stop();
    peer.stop();
    await peer.next("stopped");
    expect(problemsOf(streamsOf(peer.events)[0]!, { bytes, frameBytes: 2 })).toEqual([]);
  });

  test("of tiny messages is held back too", async () => {
    await using running = await Running.start({
      "model.delay": 0.05,
      "model.warmup_penalty": 0,
      "limits.read_ahead_seconds": 0.5,
    });
    const peer = await running.connect(SIMPLE);
    peer.start();
    const tiny = encodeFrame(OPCODE.binary, Buffer.alloc(2, 1));
    const many = Buffer.concat(Array.from({ length: 20_000 }, () => tiny));
    const before = resident();
    let wrote = 0;
    for (let i = 0; i < 10; i++) {
      await peer.write(many);
      wrote += 40_000;
    }
    peer.stop();
    await peer.next("stopped");
    expect(resident() - before).toBeLessThan(64);
    expect(problemsOf(streamsOf(peer.events)[0]!, { bytes: wrote, frameBytes: 2 })).toEqual([]);
  });

  test("does not hold others back", async () => {
    await using running = await Running.start({ "model.delay": 0.01, "limits.read_ahead_seconds": 1 });
    const greedy = await running.connect(SIMPLE);
    greedy.start();
    const { stop } = flood(greedy, encode("s16", noise(1)));
    for (let i = 0; i < 5; i++) {
      using peer = await running.connect(SIMPLE);
      peer.start();
      await peer.audio(encode("s16", noise(1)));
      peer.stop();
      await peer.next("stopped");
      expect(problemsOf(streamsOf(peer.events)[0]!, { bytes: 32_000, frameBytes: 2 })).toEqual([]);
    }
    greedy.reset();
    await stop();
    await running.settled();
  });
});

describe("a slow reader", () => {
  test("that goes on reading in time loses nothing", async () => {
    await using running = await Running.start({ "simple.block_ms": 20, "limits.outbox_bytes": 65_536 });
    const peer = await running.connect(SIMPLE);
    peer.start();
    await peer.next("started");
    const bytes = encode("s16", noise(600));
    peer.pause();
    const sending = peer.cut(bytes, () => 64_000);
    for (let i = 0; i < 10; i++) {
      await Bun.sleep(20);
      peer.resume();
      await Bun.sleep(5);
      peer.pause();
    }
    peer.resume();
    await sending;
    peer.stop();
    await peer.next("stopped");
    expect(peer.all("segment")).toHaveLength(30_000);
    expect(problemsOf(streamsOf(peer.events)[0]!, { bytes: bytes.length, frameBytes: 2 })).toEqual([]);
  });

  test("is not read from any more, whatever it sends", async () => {
    await using running = await Running.start({
      "simple.block_ms": 20,
      "limits.outbox_bytes": 65_536,
      "limits.read_ahead_seconds": 0.5,
    });
    const peers = await Promise.all(Array.from({ length: 4 }, () => running.connect(SIMPLE)));
    const chunk = Buffer.alloc(16 * 40_000, 128);
    const floods: ReturnType<typeof flood>[] = [];
    for (const peer of peers) {
      peer.start({ format: { channels: 16, sample_rate: 4_000, bit_depth: 8, is_float: false } });
      await peer.next("started");
      peer.pause();
      floods.push(flood(peer, chunk));
    }
    const sent = (): number => floods.reduce((sum, each) => sum + each.sent(), 0);
    // All are held back: nothing more is taken.
    let last = -1;
    await waitUntil("the senders stand still", async () => {
      const same = sent() === last;
      last = sent();
      await Bun.sleep(500);
      return same;
    });
    expect(running.server.sessions).toBe(4);
    // Of each of 16 channels half a second, and the block and the slab that are not full.
    expect((await running.info()).arena.used_slabs).toBeLessThanOrEqual(4 * 16 * 4);
    for (const peer of peers) peer.reset();
    for (const each of floods) await each.stop();
    await running.settled();
  });
});

describe("many at once", () => {
  test("random formats, cuts, stops, flushes, restarts and disconnects leak no memory, and remaining clients get all results", async () => {
    await using running = await Running.start({
      "model.workers": 2,
      "model.delay": 0.001,
      "limits.arena_mb": 2,
      "limits.read_ahead_seconds": 1,
      "vad.max_utterance_ms": 1_000,
    });
    const random = seeded(42);
    const below = (limit: number): number => Math.floor(random() * limit);
    const one = async (): Promise<void> => {
      const path = ["/api/v1/simple", "/api/v1/segmented", "/api/v1/stateful"][below(3)]!;
      const peer = await running.connect({ path });
      const channels = 1 + below(3);
      const end = below(4);
      for (let stream = 0; stream <= below(3); stream++) {
        peer.start({ format: { ...S16_MONO, channels } });
        for (let piece = 0; piece < 8; piece++) {
          await peer.audio(
            Buffer.from(encode("s16", noise(0.4, { seed: below(1_000), level: 0.3 })).subarray(below(50))),
          );
          if (random() < 0.2) peer.say({ request: "flush" });
        }
      }
      if (end === 0) return peer.reset();
      if (end === 1) return peer.halfClose();
      peer.stop({ disconnect: end === 2 });
      await peer.next("stopped", ({ reason }) => reason === "stop");
      for (const stream of streamsOf(peer.events)) expect(problemsOf(stream)).toEqual([]);
      expect(peer.all("error")).toEqual([]);
      peer.leave();
    };
    await Promise.all(Array.from({ length: 60 }, one));
    await running.settled();
  });
});
