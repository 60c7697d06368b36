import { expect, test } from "bun:test";

import { runSchedules } from "../../support/schedule-simulation.ts";

test("50,000 random histories keep order, fairness, bounds and every job", () => {
  expect(runSchedules(50_000)).toBeGreaterThan(0);
}, 1_800_000);
