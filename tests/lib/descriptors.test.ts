import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";

import { canOpen } from "../../src/lib/descriptors.ts";

test("descriptors that were tried are free again", () => {
  const before = readdirSync("/proc/self/fd").length;
  expect(canOpen(50)).toBe(true);
  expect(readdirSync("/proc/self/fd").length).toBe(before);
});
