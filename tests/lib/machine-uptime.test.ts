import { expect, test } from "bun:test";
import { uptime } from "node:os";

import { machineUptime } from "../../src/lib/machine-uptime.ts";

test("the time since the machine was started is that of the system, and never goes back", () => {
  const [before, first, second, after] = [uptime(), machineUptime(), machineUptime(), uptime()];
  expect(second).toBeGreaterThanOrEqual(first);
  // The system counts whole seconds.
  expect(first / 1000).toBeGreaterThan(before - 1.1);
  expect(second / 1000).toBeLessThan(after + 1.1);
});
