// Runs the checks, the core tests and the suites that STREAMER_SUITES names (scripts/suites.ts). Each check counts as
// one test. The last line is `N passed, N failed[, N skipped]`; the exit code is 0 only when nothing failed.

import { join } from "node:path";

import { runChecks } from "./check.ts";
import { chosenSuites, suiteFiles, SUITES } from "./suites.ts";
import { expectedMs, testPlan } from "./test-plan.ts";
import { runTests, type TestRun } from "./test-run.ts";

const root = join(import.meta.dir, "..");

async function runAll(): Promise<TestRun> {
  const suites = chosenSuites(process.env["STREAMER_SUITES"]);
  const checks = await runChecks();
  const total = { passed: checks.passed, failed: checks.failed.length, skipped: 0, problems: checks.failed };
  console.log("core tests");
  for (const suite of suites) {
    const { length } = await suiteFiles(root, suite);
    console.log(length === 0 ? `\nSUITE ${suite}: NO TESTS YET\n` : `suite ${suite}: ${SUITES[suite]}`);
  }
  for (const { files, parallel } of await testPlan(root, suites)) {
    console.log(`\n${files.length} files of tests, ${parallel} at a time`);
    const run = await runTests(root, { files, parallel, expectedMs });
    total.passed += run.passed;
    total.failed += run.failed;
    total.skipped += run.skipped;
    total.problems.push(...run.problems);
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
