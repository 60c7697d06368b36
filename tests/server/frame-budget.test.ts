import { expect, test } from "bun:test";

import { type FrameBudget, SharedFrameBudget } from "../../src/server/frame-budget.ts";

let now = 0;
const open = () => new SharedFrameBudget(() => now);

/** Counts so many frames, and returns the longest time for which the connection is to be held. */
function send(budget: FrameBudget, frames: number): number {
  let hold = 0;
  for (let i = 0; i < frames; i++) hold = Math.max(hold, budget.count());
  return hold;
}

test("a connection that sends 10,000 small frames a second, or 16,000 at once, is not held", () => {
  const budget = open().open();
  expect(send(budget, 16_000)).toBe(0);
  for (now = 2_000; now < 100_000; now += 100) expect(send(budget, 1_000)).toBe(0);
});

test("a flood of small frames is held for as long as it takes at 20,000 a second", () => {
  const budget = open().open();
  const hold = send(budget, 81_920);
  expect(hold).toBeWithin(3_000, 4_000);
  now += hold;
  expect(send(budget, 20_480)).toBeGreaterThan(0);
});

test("many floods are held longer, but not the connections of others, and none for ever", () => {
  const shared = open();
  const holds = Array.from({ length: 20 }, () => send(shared.open(), 81_920));
  expect(holds.at(-1)).toBe(10_000);
  expect(holds).toEqual([...holds].sort((a, b) => a - b));
  expect(send(shared.open(), 16_000)).toBe(0);
});
