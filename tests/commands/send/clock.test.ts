import { expect, test } from "bun:test";

import fc from "fast-check";

import { MOMENTS, processClock, SentLog } from "../../../src/commands/send/clock.ts";

test("a frame was sent when the chunk that carries it was", () => {
  const log = new SentLog(1000);
  expect(log.moment(0)).toBeUndefined();
  log.add(100, 1);
  log.add(200, 2);
  log.add(300, 3);
  expect([0, 99, 100, 199, 200, 299].map((frame) => log.moment(frame))).toEqual([1, 1, 2, 2, 3, 3]);
  expect(log.moment(300)).toBe(3);
  expect(log.moment(9999)).toBe(3);
});

test("small chunks are noted together: the answer is never late, and at most 10 ms of audio early", () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(sizes, (sizes) => {
      const log = new SentLog(1000);
      const moments: number[] = [];
      for (const [i, size] of sizes.entries()) {
        for (let frame = 0; frame < size; frame++) moments.push(i);
        log.add(moments.length, i);
      }
      for (const [frame, moment] of moments.entries()) {
        const found = log.moment(frame) ?? Infinity;
        expect(found).toBeLessThanOrEqual(moment);
        expect(found).toBeGreaterThanOrEqual(moments[Math.max(0, frame - 10)] ?? 0);
      }
    }),
  );
});

test("the oldest moments are forgotten, the newest are kept", () => {
  const log = new SentLog(1000);
  const chunks = MOMENTS + 100;
  for (let i = 1; i <= chunks; i++) log.add(i * 100, i);
  expect(log.moment(0)).toBeUndefined();
  expect(log.moment(100 * chunks - 1)).toBe(chunks);
  expect(log.moment(100 * 200)).toBe(201);
});

test("the clock wakes at once for what is past and when it is told to", async () => {
  const abort = new AbortController();
  await processClock.sleepUntil(processClock.now() - 1, abort.signal);
  const sleeping = processClock.sleepUntil(processClock.now() + 3_600_000, abort.signal);
  abort.abort();
  await sleeping;
  await processClock.sleepUntil(processClock.now() + 3_600_000, abort.signal);
});
