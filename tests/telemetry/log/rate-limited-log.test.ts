import { expect, test } from "bun:test";

import { RateLimitedLog } from "../../../src/telemetry/log/rate-limited-log.ts";

test("one kind of warning is logged once a second, with the number of those left out", () => {
  let now = 0;
  const logged: unknown[] = [];
  const log = new RateLimitedLog({ warn: (event, fields) => logged.push([now, event, fields]) }, { now: () => now });
  for (; now < 2500; now += 100) log.warn("often", { now });
  log.warn("seldom", {});
  expect(logged).toEqual([
    [0, "often", { now: 0 }],
    [1000, "often", { now: 1000, left_out: 9 }],
    [2000, "often", { now: 2000, left_out: 9 }],
    [2500, "seldom", {}],
  ]);
});
