import { expect } from "bun:test";

import fc from "fast-check";

import { random } from "../../src/model/built-in/random.ts";
import type { Outcome } from "../../src/model/job.ts";
import { ORDERS } from "./models/puppet.ts";
import { modelPath, testPool } from "./pool-harness.ts";

/**
 * Submits random jobs to a pool until its workers have died this often; every job must be settled once and all memory
 * be free.
 */
export async function checkPoolUnderDeaths(deaths: number): Promise<void> {
  const seed = fc.sample(fc.integer(), 1)[0]!;
  const draw = random(seed);
  const orders = [0, 0, 0, 0, 0, ORDERS.later, ORDERS.exit, ORDERS.answerThenDie, ORDERS.throw, ORDERS.pause];
  await using kit = await testPool({ model: modelPath("puppet"), workers: 2, maxInFlight: 2 });
  const counts = { ok: 0, failed: 0, dropped: 0 };
  let submitted = 0;
  const client = async (session: number): Promise<void> => {
    let lane = kit.pool.lane(session, undefined);
    while (kit.pool.stats.crashes < deaths) {
      const length = 1 + Math.floor(draw() * 9000);
      const samples = new Float32Array(length).fill(0.5);
      const work = Array.from({ length: 1 + Math.floor(draw() * 3) }, (_, i) => {
        samples[0] = orders[Math.floor(draw() * orders.length)]!;
        submitted++;
        return kit.submit(lane, samples, { kind: i === 2 ? "interim" : "final" });
      });
      if (draw() < 0.1) {
        lane.close();
        lane = kit.pool.lane(session, undefined);
      }
      for (const { status } of await Promise.all<Outcome>(work)) counts[status]++;
    }
    lane.close();
  };
  try {
    await Promise.all([0, 1, 2, 3].map(client));
    expect(counts.ok + counts.failed + counts.dropped).toBe(submitted);
    expect(Math.min(counts.ok, counts.failed, counts.dropped)).toBeGreaterThan(0);
    await kit.until(() => kit.arena.used === 0 && kit.pool.stats.workersReady === 2);
    expect(kit.pool.stats).toMatchObject({ lanes: 0, finalsPending: 0, finalsWaiting: 0, interimsWaiting: 0 });
  } catch (error) {
    console.error(`seed ${seed}`);
    throw error;
  }
}
