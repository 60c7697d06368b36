import { describe, expect, test } from "bun:test";

import { canFuzz, fuzz, fuzzTargets } from "../../scripts/fuzz.ts";
import { type SanitizedRun, sanitizeMemory, sanitizers, sanitizeThreads } from "../../scripts/native-sanitize.ts";

const available = await sanitizers();
const fuzzable = await canFuzz();

/** These tests need more than a C compiler: where it is missing, that is said, and the test is counted as skipped. */
function missing(what: string, present: boolean): boolean {
  if (!present) console.warn(`NOT TESTED: ${what} missing from this machine's C compiler`);
  return !present;
}

function failures(results: readonly SanitizedRun[]): string[] {
  expect(results.length).toBeGreaterThan(0);
  return results.filter(({ passed }) => !passed).map(({ report }) => report);
}

describe("native library", () => {
  test.skipIf(missing("address and undefined-behaviour sanitizers", available.memory))(
    "touches nothing outside exact buffers and does nothing undefined, on kept and random inputs",
    async () => {
      const seed = Math.floor(Math.random() * 2 ** 32);
      expect(failures(await sanitizeMemory(30, seed))).toEqual([]);
    },
    120_000,
  );

  test.skipIf(missing("the thread sanitizer", available.threads))(
    "threads share filters without a race",
    async () => {
      expect(failures(await sanitizeThreads())).toEqual([]);
    },
    120_000,
  );

  test.skipIf(missing("clang with libFuzzer", fuzzable))(
    "coverage-guided fuzzing of every entry point finds nothing in a second each",
    async () => {
      expect(fuzzTargets().length).toBeGreaterThan(0);
      for (const target of fuzzTargets()) {
        const { passed, report } = await fuzz(target, 1, false);
        expect(passed ? "" : report).toBe("");
      }
    },
    120_000,
  );
});
