import { expect, test } from "bun:test";

import { StandingWait } from "../../src/capacity/standing-wait.ts";

test("waits that some finals do not have are no standing wait, however long the others are", () => {
  const wait = new StandingWait(1);
  for (let now = 0; now < 5_000; now += 100) {
    wait.answered(now % 500 === 0 ? 0 : 400, 50);
    wait.update(now, undefined);
  }
  expect(wait.ms).toBe(0);
});

test("a wait that every final has stands, and ends a second after it has gone", () => {
  const wait = new StandingWait(1);
  let now = 0;
  for (; now < 2_000; now += 100) {
    wait.answered(120 + (now % 300), 50);
    wait.update(now, undefined);
  }
  expect(wait.ms).toBeGreaterThanOrEqual(120);
  for (; now < 3_100; now += 100) {
    wait.answered(0, 50);
    wait.update(now, undefined);
  }
  expect(wait.ms).toBe(0);
});

test("finals that are not answered at all stand, too; an idle model has no wait", () => {
  const wait = new StandingWait(1);
  for (let now = 0; now < 10_000; now += 100) wait.update(now, now);
  expect(wait.ms).toBeGreaterThan(5_000);
  for (let now = 10_000; now < 12_000; now += 100) wait.update(now, undefined);
  expect(wait.ms).toBe(0);
});

test("slow calls are judged by several of them", () => {
  const wait = new StandingWait(1);
  let now = 0;
  // A call of two seconds; every fourth final finds the worker idle.
  for (let call = 0; call < 12; call++) {
    wait.answered(call % 4 === 0 ? 0 : 1_500, 2_000);
    for (let i = 0; i < 20; i++) wait.update((now += 100), 500);
  }
  expect(wait.ms).toBe(0);
});
