import { expect } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { random } from "../../src/model/built-in/random.ts";
import type { Lane } from "../../src/pool/lane.ts";
import type { StartHost } from "../../src/pool/worker-host.ts";
import { freshSeed } from "./audio.ts";
import { NATIVE_MS, STEP_ORDERS } from "./models/pinned.ts";
import { modelPath, type TestPool, testPool } from "./pool-harness.ts";

const WORKERS = 3;
const CLIENTS = 8;
/** Streams that a worker may have: two workers have room for all. */
const MAX_STREAMS = 5;
/** So many crashes find a stream that waits between two calls, and leave time for a call that takes too long. */
const MANY_CRASHES = 15;
/** One step in so many takes longer than the pool allows, from the 5th on. */
const OVERTIME_PERIOD = 100;

export interface PinnedDeaths {
  /** Crashes after which the clients stop. */
  readonly crashes: number;
  /** Default: threads. */
  readonly startHost?: StartHost;
  /** Path of the model `pinned`. */
  readonly model?: string;
}

/** What a client knows of its stream in a worker. */
interface KnownStream {
  readonly id: number;
  samples: number;
}

/**
 * Clients give steps to a pool of a pinned model until its workers have crashed so many times. Each stream must count
 * exactly the samples that its client has given it, a lost stream must be known to be lost, no worker may have more
 * streams than its limit, and each stream is closed once, unless its worker has died.
 */
export async function checkPinnedUnderDeaths(deaths: PinnedDeaths): Promise<void> {
  const seed = freshSeed();
  const folder = mkdtempSync(join(tmpdir(), "streamer-pinned-"));
  const file = join(folder, "events");
  const { crashes, startHost, model = modelPath("pinned") } = deaths;
  await Bun.write(file, "");
  try {
    const kit = await testPool({
      ...{ model, settings: { file }, workers: WORKERS, maxStreams: MAX_STREAMS, inferenceTimeoutMs: NATIVE_MS / 2 },
      ...(startHost && { startHost }),
    });
    try {
      const counts = { ok: 0, failed: 0, lost: 0 };
      await Promise.all(Array.from({ length: CLIENTS }, (_, i) => runClient(kit, random(seed, i, 0), crashes, counts)));
      expect(Math.min(counts.ok, counts.failed)).toBeGreaterThan(0);
      if (crashes >= MANY_CRASHES) expect([counts.lost > 0, kit.deaths("timeout") > 0]).toEqual([true, true]);
      await kit.until(() => kit.arena.used === 0 && kit.pool.load.workersReady === WORKERS);
      expect(kit.pool.places).toEqual({ open: 0, allowed: WORKERS * MAX_STREAMS });
      expect(kit.pool.unavailable).toBeUndefined();
      await kit.until(() => kit.pool.load.workersAbandoned === 0);
    } finally {
      await kit.pool.close();
    }
    checkStreams(readFileSync(file, "utf8").trim().split("\n"));
  } catch (error) {
    console.error(`seed ${seed}`);
    throw error;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function runClient(
  kit: TestPool,
  draw: () => number,
  crashes: number,
  counts: { ok: number; failed: number; lost: number },
): Promise<void> {
  const { census, throw: fail, exit, later, pause, native } = STEP_ORDERS;
  const orders = [census, census, census, census, census, pause, later, fail, exit];
  let lane: Lane = kit.lane();
  let stream: KnownStream | undefined;
  // A few crashes may be the first that happens, and a crash may find no stream that waits between two calls: then some
  // more are needed.
  const isOver = (): boolean =>
    kit.crashes >= crashes &&
    counts.ok > 0 &&
    (crashes < MANY_CRASHES || counts.lost > 0 || kit.crashes >= 10 * crashes);
  for (let steps = 0; !isOver(); steps++) {
    const isOvertime = steps % OVERTIME_PERIOD === 5;
    const samples = new Float32Array(1 + Math.floor(draw() * 5000)).fill(0.5);
    samples[0] = isOvertime ? native : orders[Math.floor(draw() * orders.length)]!;
    const outcome = await kit.submit(lane, samples, { step: stream === undefined ? "start" : "step" });
    if (outcome.status === "dropped") throw new Error("a job was dropped while its lane was open");
    counts[outcome.status]++;
    if (outcome.status === "failed") {
      // A step that throws leaves its stream as it was.
      if (outcome.code !== "inference_failed") stream = undefined;
      continue;
    }
    const { stream: id, samples: counted, open = 0 } = outcome.output as Record<string, number>;
    expect(open).toBeLessThanOrEqual(MAX_STREAMS);
    if (outcome.opened === true || stream === undefined) {
      if (stream !== undefined) counts.lost++;
      expect(counted).toBe(samples.length);
      stream = { id: id!, samples: samples.length };
    } else {
      stream.samples += samples.length;
      expect([id!, counted!]).toEqual([stream.id, stream.samples]);
    }
    if (draw() < 0.05) {
      const finished = await kit.submit(lane, [], { step: "finish" });
      if (finished.status === "ok" && finished.output !== undefined) {
        expect(finished.output).toMatchObject({ stream: stream.id, total: stream.samples });
        stream.samples = 0;
      } else stream = undefined;
    }
    if (draw() < 0.05) {
      lane.close();
      lane = kit.lane();
      stream = undefined;
    }
  }
  lane.close();
}

/** Checks that no stream was closed twice, and that all of those were closed whose worker was closed. */
function checkStreams(events: readonly string[]): void {
  const of = (event: string): string[] =>
    events.filter((line) => line.startsWith(`${event} `)).map((line) => line.slice(event.length + 1));
  const [opened, closed, ended] = [of("opened"), of("closed"), new Set(of("ended"))];
  expect(ended.size).toBeGreaterThanOrEqual(WORKERS);
  expect([new Set(opened).size, new Set(closed).size]).toEqual([opened.length, closed.length]);
  const left = new Set(opened).difference(new Set(closed));
  expect([...left].filter((id) => ended.has(id.split(".")[0]!))).toEqual([]);
}
