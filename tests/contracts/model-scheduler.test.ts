import { expect, test } from "bun:test";

import { ScheduleSimulation } from "../support/schedule-simulation.ts";

/** `SCHEDULE_SEED=n` repeats one history. */
const only = process.env["SCHEDULE_SEED"];
const SCHEDULES = only === undefined ? 50_000 : 1;
const FIRST_SEED = only === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(only);

test(`${SCHEDULES} random histories keep order, fairness, bounds and every job`, () => {
  let jobs = 0;
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SCHEDULES; seed++) {
    try {
      jobs += new ScheduleSimulation(seed).run();
    } catch (error) {
      throw new Error(`SCHEDULE_SEED=${seed} ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
    }
  }
  expect(jobs).toBeGreaterThan(SCHEDULES);
}, 120_000);
