import { expect, test } from "bun:test";

import { RetryBudget } from "../../../src/model/remote/retry-budget.ts";

function granted(budget: RetryBudget, asked: number): number {
  return Array.from({ length: asked }, () => budget.take()).filter(Boolean).length;
}

test("retries are a share of the calls, and a few more at first", () => {
  const budget = new RetryBudget(0.1);
  expect(granted(budget, 100)).toBe(10);
  for (let call = 0; call < 50; call++) budget.earn();
  expect(granted(budget, 100)).toBe(5);
  for (let call = 0; call < 1_000; call++) budget.earn();
  expect(granted(budget, 100)).toBe(10);
});

test("with a budget of 0 there are none", () => {
  const budget = new RetryBudget(0);
  budget.earn();
  expect(budget.take()).toBe(false);
});
