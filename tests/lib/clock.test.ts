import { expect, test } from "bun:test";

import { sleepUntil, systemClock } from "../../src/lib/clock.ts";

const HOUR_MS = 3_600_000;

test("sleepUntil resolves at once for a time in the past", async () => {
  await sleepUntil(systemClock, systemClock.now() - 1, new AbortController().signal);
});

test("sleepUntil resolves when its signal is aborted, and at once after that", async () => {
  const abort = new AbortController();
  const sleeping = sleepUntil(systemClock, systemClock.now() + HOUR_MS, abort.signal);
  abort.abort();
  await sleeping;
  await sleepUntil(systemClock, systemClock.now() + HOUR_MS, abort.signal);
});

test("sleepUntil resolves when its timer fires, and an abort that comes later has no effect", async () => {
  const abort = new AbortController();
  const timers: { milliseconds: number; task: () => void }[] = [];
  let cancelled = 0;
  const clock = {
    now: () => 100,
    after: (milliseconds: number, task: () => void) => {
      timers.push({ milliseconds, task });
      return () => void cancelled++;
    },
  };
  const sleeping = sleepUntil(clock, 150, abort.signal);
  expect(timers.map(({ milliseconds }) => milliseconds)).toEqual([50]);
  timers[0]?.task();
  await sleeping;
  abort.abort();
  expect(cancelled).toBe(1);
});
