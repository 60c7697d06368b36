import { expect, test } from "bun:test";

import { freshSeed } from "../support/audio.ts";
import { runSchedules } from "../support/schedule-simulation.ts";

const seed = freshSeed();

test(`5,000 random histories keep order, fairness, bounds and every job (seed ${seed})`, () => {
  expect(runSchedules(5_000, seed)).toBeGreaterThan(0);
}, 600_000);
