import { expect, test } from "bun:test";

import { canFuzz, fuzzAll, fuzzEach, type Fuzzed, fuzzTargets } from "../../../scripts/fuzz.ts";
import { prove, rounds } from "../../support/proof.ts";
import { reportMissing } from "../../support/requirements.ts";

/** Runs of all targets together in the endless form, which take hours. 0: the time decides. */
const RUNS = Number(process.env["STREAMER_FUZZ_RUNS"] ?? rounds(0, 0, 100_000_000));
/** Of each target: in the endless form at most, else exactly. */
const SECONDS = Number(process.env["STREAMER_FUZZ_SECONDS"] ?? rounds(2, 15, 3_600));
/** Targets at a time. */
const LANES = rounds(2, 1);

const fuzzable = await canFuzz();
if (!fuzzable) reportMissing("clang with libFuzzer is not installed (Debian: apt-get install clang libclang-rt-dev)");

if (RUNS === 0) {
  let all: ReadonlyMap<string, Promise<Fuzzed>> | undefined;
  test.skipIf(!fuzzable).each(fuzzTargets())(
    `coverage-guided fuzzing of %s finds nothing in ${SECONDS} s`,
    async (target) => {
      await prove("native_fuzzing", async () => {
        all ??= fuzzEach(fuzzTargets(), { seconds: SECONDS }, LANES);
        const { passed, report, runs } = await all.get(target)!;
        expect(passed ? "" : report).toBe("");
        return `${target}: ${runs} runs`;
      });
    },
    1_800_000,
  );
} else {
  test.skipIf(!fuzzable)(
    `coverage-guided fuzzing of all targets finds nothing in ${RUNS} runs`,
    async () => {
      await prove("native_fuzzing", async () => {
        let total = 0;
        await fuzzAll(fuzzTargets(), { runs: RUNS, seconds: SECONDS }, false, (_target, { passed, report, runs }) => {
          expect(passed ? "" : report).toBe("");
          total += runs;
        });
        return `${total} runs of ${fuzzTargets().length} targets, 0 findings`;
      });
    },
    12 * 3_600_000,
  );
}
