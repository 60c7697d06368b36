import { expect, test } from "bun:test";

import { canFuzz, fuzz, fuzzTargets } from "../../../scripts/fuzz.ts";
import { reportMissing } from "../../support/requirements.ts";

/** Of each target. */
const SECONDS = 5;

const fuzzable = await canFuzz();
if (!fuzzable) reportMissing("clang with libFuzzer is not installed (Debian: apt-get install clang libclang-rt-dev)");

test("the C library has targets to fuzz", () => {
  expect(fuzzTargets().length).toBeGreaterThan(0);
});

test.skipIf(!fuzzable).each(fuzzTargets())(
  `coverage-guided fuzzing of %s finds nothing in ${SECONDS} s`,
  async (target) => {
    const { passed, report } = await fuzz(target, SECONDS, false);
    expect(passed ? "" : report).toBe("");
  },
  1_800_000,
);
