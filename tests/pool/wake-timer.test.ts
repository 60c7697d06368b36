import { expect, test } from "bun:test";

import { WakeTimer } from "../../src/pool/wake-timer.ts";
import { ManualClock } from "../support/manual-clock.ts";

function start() {
  const clock = new ManualClock();
  const wakes: number[] = [];
  return { clock, wakes, timer: new WakeTimer(clock, () => wakes.push(clock.now())) };
}

test("an earlier due time replaces a later one, not the other way round", () => {
  const { clock, wakes, timer } = start();
  timer.wakeAt(Infinity);
  timer.wakeAt(20);
  timer.wakeAt(10);
  timer.wakeAt(15);
  expect(clock.pending).toBe(1);
  clock.advance(30);
  expect(wakes).toEqual([10]);
  timer.wakeAt(25);
  clock.advance(0);
  expect(wakes).toEqual([10, 30]);
});

test("a cancelled due time does not wake", () => {
  const { clock, wakes, timer } = start();
  timer.wakeAt(10);
  timer.cancel();
  clock.advance(20);
  expect(wakes).toEqual([]);
  timer.wakeAt(30);
  clock.advance(20);
  expect(wakes).toEqual([30]);
});

test("several calls in one turn wake once, after it", async () => {
  const { wakes, timer } = start();
  timer.wakeSoon();
  timer.wakeSoon();
  expect(wakes).toEqual([]);
  await Promise.resolve();
  expect(wakes).toEqual([0]);
  timer.wakeSoon();
  await Promise.resolve();
  expect(wakes).toEqual([0, 0]);
});
