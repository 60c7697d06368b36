import { expect, test } from "bun:test";

import { processCount } from "../../../src/commands/serve/process-count.ts";

test("auto is one process for every two processors, at least one", () => {
  expect([1, 2, 3, 4, 16, 1_000].map((processors) => processCount("auto", processors))).toEqual([1, 1, 1, 2, 8, 64]);
  expect(processCount(5, 1)).toBe(5);
});
