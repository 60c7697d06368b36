import { describe, expect, test } from "bun:test";

import { type SanitizedRun, sanitizeMemory, sanitizers, sanitizeThreads } from "../../scripts/native-sanitize.ts";
import { reportMissing } from "../support/requirements.ts";

const { memory, threads } = await sanitizers();
if (!memory) reportMissing("address and undefined-behaviour sanitizers of the C compiler");
if (!threads) reportMissing("the thread sanitizer of the C compiler");

function failures(results: readonly SanitizedRun[]): string[] {
  expect(results.length).toBeGreaterThan(0);
  return results.filter(({ passed }) => !passed).map(({ report }) => report);
}

describe("native library", () => {
  test.skipIf(!memory)(
    "touches nothing outside exact buffers and does nothing undefined, on kept and random inputs",
    async () => {
      const seed = Math.floor(Math.random() * 2 ** 32);
      expect(failures(await sanitizeMemory(30, seed))).toEqual([]);
    },
    300_000,
  );

  test.skipIf(!threads)(
    "threads share filters and the session table without a race",
    async () => {
      expect(failures(await sanitizeThreads())).toEqual([]);
    },
    300_000,
  );
});
