import { expect, test } from "bun:test";

import { RestartDelay } from "../../../src/server/processes/restart-delay.ts";

test("the pause before a start doubles up to 30 s, and begins anew after a minute of readiness", () => {
  const delay = new RestartDelay();
  const pauses = Array.from({ length: 11 }, () => delay.next(59_999));
  expect(pauses).toEqual([100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000]);
  expect(delay.next(60_000)).toBe(100);
  expect(delay.next(0)).toBe(200);
});
