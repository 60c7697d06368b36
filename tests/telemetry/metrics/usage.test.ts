import { expect, test } from "bun:test";

import { ServerMetrics } from "../../../src/telemetry/metrics/server-metrics.ts";
import { totalUsage, usageBetween } from "../../../src/telemetry/metrics/usage.ts";

test("usage between two moments is the difference of the totals", () => {
  const metrics = new ServerMetrics();
  metrics.mainThread.decoded(100, 2);
  const before = totalUsage(metrics);
  metrics.mainThread.decoded(5, 2);
  const usage = usageBetween(before, totalUsage(metrics));
  expect(usage.audio).toBe(5);
  for (const seconds of [usage.wall, usage.mainThread, usage.processor]) expect(seconds).toBeGreaterThanOrEqual(0);
});
