import { expect, test } from "bun:test";

import { runSchedules } from "../support/schedule-simulation.ts";

test("5,000 random histories keep order, fairness, bounds and every job", () => {
  expect(runSchedules(5_000)).toBeGreaterThan(0);
}, 600_000);
