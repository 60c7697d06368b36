import { expect } from "bun:test";

import fc from "fast-check";

import { random } from "../../src/model/built-in/random.ts";
import type { Outcome } from "../../src/model/job.ts";
import { ORDERS, OVERTIME_MS } from "./models/puppet.ts";
import { modelPath, testPool } from "./pool-harness.ts";

/** One in so many jobs takes longer than the pool allows, in native code. */
const OVERTIME_PERIOD = 80;

/**
 * Submits random jobs to a pool until its workers have crashed `crashes` times. Some jobs block their threads for too
 * long, so that these are abandoned. Every job must settle once, and no memory and no thread may be left.
 */
export async function checkPoolUnderDeaths(crashes: number): Promise<void> {
  const seed = fc.sample(fc.integer(), 1)[0]!;
  const draw = random(seed);
  const orders = [0, 0, 0, 0, 0, ORDERS.later, ORDERS.exit, ORDERS.answerThenDie, ORDERS.throw, ORDERS.pause];
  await using kit = await testPool({
    model: modelPath("puppet"),
    workers: 2,
    maxInFlight: 2,
    inferenceTimeoutMs: OVERTIME_MS / 2,
  });
  const counts = { ok: 0, failed: 0, dropped: 0 };
  let submitted = 0;
  const client = async (): Promise<void> => {
    const stream = {};
    let lane = kit.lane(undefined, stream);
    while (kit.crashes < crashes) {
      const length = 1 + Math.floor(draw() * 9000);
      const samples = new Float32Array(length).fill(0.5);
      const outcomes = Array.from({ length: 1 + Math.floor(draw() * 3) }, (_, i) => {
        samples[0] = submitted % OVERTIME_PERIOD === 0 ? ORDERS.overtime : orders[Math.floor(draw() * orders.length)]!;
        submitted++;
        return kit.submit(lane, samples, { kind: i === 2 ? "interim" : "final" });
      });
      if (draw() < 0.1) {
        lane.close();
        lane = kit.lane(undefined, stream);
      }
      for (const { status } of await Promise.all<Outcome>(outcomes)) counts[status]++;
    }
    lane.close();
  };
  try {
    await Promise.all([client(), client(), client(), client()]);
    expect(counts.ok + counts.failed + counts.dropped).toBe(submitted);
    expect(Math.min(counts.ok, counts.failed, counts.dropped)).toBeGreaterThan(0);
    await kit.until(() => kit.arena.used === 0 && kit.pool.load.workersReady === 2);
    await kit.until(() => kit.pool.load.workersAbandoned === 0);
    expect(kit.pool.load).toMatchObject({ finalsWaiting: 0, interimsWaiting: 0 });
    expect([kit.deaths("timeout") > 0, kit.pool.unavailable]).toEqual([true, undefined]);
    expect(kit.pool.finalsPending).toBe(0);
  } catch (error) {
    console.error(`seed ${seed}`);
    throw error;
  }
}
