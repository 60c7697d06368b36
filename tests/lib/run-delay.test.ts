import { expect, test } from "bun:test";
import { existsSync } from "node:fs";

import { runDelayMs } from "../../src/lib/run-delay.ts";

test("the run delay of a thread never falls, and is not its sleep", async () => {
  const [before, begin] = [runDelayMs(), performance.now()];
  await Bun.sleep(20);
  const after = runDelayMs();
  expect(after).toBeGreaterThanOrEqual(before);
  expect(after - before).toBeLessThan(performance.now() - begin);
  expect(after > 0).toBe(existsSync("/proc/thread-self/schedstat"));
});
