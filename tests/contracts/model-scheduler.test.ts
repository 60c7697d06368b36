import { expect, test } from "bun:test";

import { freshSeed } from "../support/audio.ts";
import { runPinnedSchedules } from "../support/pinned-simulation.ts";
import { runSchedules } from "../support/schedule-simulation.ts";

const seed = freshSeed();

test(`5,000 random histories keep order, fairness, bounds and every job (seed ${seed})`, () => {
  expect(runSchedules(5_000, seed)).toBeGreaterThan(0);
}, 600_000);

test(`pinned streams stay on their workers, within the limit, through deaths, closes and drains (seed ${seed})`, () => {
  expect(runPinnedSchedules(2_000, seed)).toBeGreaterThan(0);
}, 600_000);
