import { expect } from "bun:test";

import fc from "fast-check";

import { random } from "../../src/model/built-in/random.ts";
import type { Outcome } from "../../src/model/job.ts";
import { ORDERS } from "./models/puppet.ts";
import { modelPath, testPool } from "./pool-harness.ts";

/**
 * Submits random jobs to a pool until its workers have crashed `crashes` times. Every job must settle once, and no
 * memory may be left.
 */
export async function checkPoolUnderDeaths(crashes: number): Promise<void> {
  const seed = fc.sample(fc.integer(), 1)[0]!;
  const draw = random(seed);
  const orders = [0, 0, 0, 0, 0, ORDERS.later, ORDERS.exit, ORDERS.answerThenDie, ORDERS.throw, ORDERS.pause];
  await using kit = await testPool({ model: modelPath("puppet"), workers: 2, maxInFlight: 2 });
  const counts = { ok: 0, failed: 0, dropped: 0 };
  let submitted = 0;
  const client = async (): Promise<void> => {
    const stream = {};
    let lane = kit.lane(undefined, stream);
    while (kit.crashes < crashes) {
      const length = 1 + Math.floor(draw() * 9000);
      const samples = new Float32Array(length).fill(0.5);
      const outcomes = Array.from({ length: 1 + Math.floor(draw() * 3) }, (_, i) => {
        samples[0] = orders[Math.floor(draw() * orders.length)]!;
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
    expect(kit.pool.load).toMatchObject({ finalsWaiting: 0, interimsWaiting: 0 });
    expect(kit.pool.finalsPending).toBe(0);
  } catch (error) {
    console.error(`seed ${seed}`);
    throw error;
  }
}
