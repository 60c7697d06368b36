import { expect, test } from "bun:test";

import { residentBytes } from "../../src/lib/process-memory.ts";

test("the memory of processes is that of all of them, and none of those that have ended", async () => {
  const own = residentBytes([process.pid]);
  expect(own).toBeGreaterThan(10 * 1024 * 1024);
  const ended = Bun.spawn(["true"]);
  await ended.exited;
  expect(residentBytes([process.pid, ended.pid])).toBeGreaterThan(own / 2);
  expect(residentBytes([ended.pid])).toBe(0);
  expect(residentBytes([])).toBe(0);
});
