import { expect, test } from "bun:test";

import fc from "fast-check";

import { MAX_SEND_TIMES, SendTimes } from "../../../src/commands/send/send-times.ts";

test("a frame was sent with its chunk", () => {
  const times = new SendTimes(1000);
  expect(times.timeOf(0)).toBeUndefined();
  times.add(100, 1);
  times.add(200, 2);
  times.add(300, 3);
  expect([0, 99, 100, 199, 200, 299].map((frame) => times.timeOf(frame))).toEqual([1, 1, 2, 2, 3, 3]);
  expect(times.timeOf(300)).toBe(3);
  expect(times.timeOf(9999)).toBe(3);
});

test("small chunks share an entry: the time is never late, and at most 10 ms of audio early", () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(sizes, (sizes) => {
      const times = new SendTimes(1000);
      const sentAt: number[] = [];
      for (const [i, size] of sizes.entries()) {
        for (let frame = 0; frame < size; frame++) sentAt.push(i);
        times.add(sentAt.length, i);
      }
      for (const [frame, time] of sentAt.entries()) {
        const found = times.timeOf(frame) ?? Infinity;
        expect(found).toBeLessThanOrEqual(time);
        expect(found).toBeGreaterThanOrEqual(sentAt[Math.max(0, frame - 10)] ?? 0);
      }
    }),
  );
});

test("the oldest entries are overwritten", () => {
  const times = new SendTimes(1000);
  const chunks = MAX_SEND_TIMES + 100;
  for (let i = 1; i <= chunks; i++) times.add(i * 100, i);
  expect(times.timeOf(0)).toBeUndefined();
  expect(times.timeOf(100 * chunks - 1)).toBe(chunks);
  expect(times.timeOf(100 * 200)).toBe(201);
});
