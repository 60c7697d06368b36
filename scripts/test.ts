// Runs the checks, the core tests and the suites that STREAMER_SUITES names (scripts/suites.ts). Each check counts as
// one test. The last line is `N passed, N failed[, N skipped]`; the exit code is 0 only when nothing failed.

import { availableParallelism } from "node:os";
import { join } from "node:path";

import { runChecks } from "./check.ts";
import { chosenSuites, type Suite, suiteFiles, SUITES } from "./suites.ts";
import { runTests, type TestRun } from "./test-run.ts";

const root = join(import.meta.dir, "..");
/** Many tests wait; more processes than cores fill the gaps. */
const PARALLEL = Math.min(4, availableParallelism() + 1);

/** Files at a time of a suite, if not one: most load more than one core, and some expect one to be free. */
const SUITE_PARALLEL: Partial<Record<Suite, number>> = { torture: 2 };

async function runAll(): Promise<TestRun> {
  const suites = chosenSuites(process.env["STREAMER_SUITES"]);
  const checks = await runChecks();
  const total = { passed: checks.passed, failed: checks.failed.length, skipped: 0, problems: checks.failed };
  const add = (name: string, run: TestRun): void => {
    total.passed += run.passed;
    total.failed += run.failed;
    total.skipped += run.skipped;
    total.problems.push(...run.problems.map((problem) => `${name}: ${problem}`));
  };
  console.log("core tests");
  add("core", await runTests(root, { parallel: PARALLEL }));
  for (const suite of suites) {
    const files = await suiteFiles(root, suite);
    console.log(files.length === 0 ? `\nSUITE ${suite}: NO TESTS YET\n` : `suite ${suite}: ${SUITES[suite]}`);
    if (files.length > 0) add(suite, await runTests(root, { files, parallel: SUITE_PARALLEL[suite] ?? 1 }));
  }
  return total;
}

async function run(): Promise<TestRun> {
  try {
    return await runAll();
  } catch (error) {
    return { passed: 0, failed: 1, skipped: 0, problems: [error instanceof Error ? error.message : String(error)] };
  }
}

const { passed, failed, skipped, problems } = await run();
for (const problem of problems) console.log(`failed: ${problem}`);
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
process.exitCode = failed === 0 ? 0 : 1;
