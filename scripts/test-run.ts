// One run of `bun test`, and what really happened in it.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface TestRun {
  passed: number;
  failed: number;
  skipped: number;
  /** What went wrong, in words; empty when all is well. */
  readonly problems: string[];
}

/** A hung test must not hang whoever waits for the answer. */
const LIMIT_MS = 12 * 60_000;
/** Of one test that does not say better. Bun's own 5 s would tell a busy machine from a quiet one. */
const TEST_LIMIT_MS = 60_000;

/** Runs all tests of the project in `root`. A crash, an error outside of any test and a run without tests count as one failure. */
export async function runTests(root: string, output: "inherit" | "ignore" = "inherit"): Promise<TestRun> {
  const folder = await mkdtemp(join(tmpdir(), "streamer-tests-"));
  try {
    const report = join(folder, "junit.xml");
    const flags = [`--timeout=${TEST_LIMIT_MS}`, "--reporter=junit", `--reporter-outfile=${report}`];
    const child = Bun.spawn([process.execPath, "test", ...flags], {
      cwd: root,
      // CI refuses a forgotten `test.only`, and snapshots that nobody has looked at.
      env: { ...process.env, CI: "1" },
      stdin: "ignore",
      stdout: output,
      stderr: output,
      timeout: LIMIT_MS,
      killSignal: "SIGKILL",
    });
    const code = await child.exited;
    const run = await readReport(report);
    if (run.failed > 0) run.problems.push(`${run.failed} of the tests`);
    else if (code !== 0) {
      run.problems.push("bun test: an error outside of any test, a crash, or no end in time");
      run.failed = 1;
    } else if (run.passed === 0) {
      run.problems.push("bun test: no report of any test");
      run.failed = 1;
    }
    return run;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The counts of Bun's JUnit report; zeros if the run died before it wrote one. */
async function readReport(path: string): Promise<TestRun> {
  const file = Bun.file(path);
  const summary = (await file.exists()) ? (/<testsuites\b[^>]*>/.exec(await file.text())?.[0] ?? "") : "";
  const number = (attribute: string): number =>
    Number(new RegExp(`\\b${attribute}="(\\d+)"`).exec(summary)?.[1] ?? "0");
  const failed = number("failures") + number("errors");
  const skipped = number("skipped");
  return { passed: number("tests") - failed - skipped, failed, skipped, problems: [] };
}
