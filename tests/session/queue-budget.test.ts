import { expect, test } from "bun:test";

import { QueueBudget } from "../../src/session/queue-budget.ts";

test("a session may queue its own limit while there is much room, less the fuller all queues are, and always a little", () => {
  const budget = new QueueBudget(1_000_000);
  expect([budget.limit(100_000), budget.tight]).toEqual([100_000, false]);
  budget.change(600_000);
  expect([budget.limit(100_000), budget.tight]).toEqual([50_000, true]);
  budget.change(400_000);
  expect(budget.limit(100_000)).toBe(4_096);
  budget.change(-900_000);
  expect([budget.limit(100_000), budget.used]).toEqual([100_000, 100_000]);
});

test("many greedy sessions stay within the budget and a little for each", () => {
  const budget = new QueueBudget(1_000_000);
  const queued = Array.from({ length: 50 }, () => 0);
  for (let round = 0; round < 100; round++) {
    for (const [i, bytes] of queued.entries()) {
      if (bytes > budget.limit(262_144)) continue;
      queued[i] = bytes + 3_200;
      budget.change(3_200);
    }
  }
  expect(budget.used).toBeLessThanOrEqual(1_000_000 + 50 * (4_096 + 3_200));
  for (const bytes of queued) expect(bytes).toBeGreaterThan(0);
});
