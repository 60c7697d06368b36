import { expect, test } from "bun:test";

import { freshSeed } from "../../support/audio.ts";
import { runPinnedSchedules } from "../../support/pinned-simulation.ts";
import { prove, rounds } from "../../support/proof.ts";
import { runSchedules } from "../../support/schedule-simulation.ts";

const HISTORIES = rounds(4_000, 100_000, 1_000_000);
const seed = freshSeed();

test(`${HISTORIES} random histories keep order, fairness, bounds and every job (seed ${seed})`, async () => {
  await prove("scheduler", () => {
    const jobs = runSchedules(HISTORIES, seed);
    expect(jobs).toBeGreaterThan(0);
    return `${HISTORIES} histories, ${jobs} jobs, 0 broken`;
  });
}, 3_600_000);

test(`${HISTORIES} random histories keep pinned streams on their workers, within the limit (seed ${seed})`, async () => {
  await prove("scheduler", () => {
    const jobs = runPinnedSchedules(HISTORIES, seed);
    expect(jobs).toBeGreaterThan(0);
    return `${HISTORIES} histories, ${jobs} jobs, 0 broken`;
  });
}, 3_600_000);
