// Checks everything: formatting, types, lint, unused code, then the tests. Each check counts as one test. The last line is
// plain, `N passed, N failed` (and `, N skipped` if there are), from what really ran; the exit code is 0 only if none failed.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

const root = join(import.meta.dir, "..");
const bun = process.execPath;

/** A hung test must not hang whoever waits for the answer. */
const TEST_LIMIT_MS = 12 * 60_000;

const CHECKS: [name: string, command: string[]][] = [
  ["formatting (repair with `bun fmt`)", [bun, "fmt", "--check", "--no-script"]],
  ["types", [bun, "check", "--no-script"]],
  ["lint", [bun, "--bun", "node_modules/.bin/oxlint"]],
  ["unused files, exports and packages", [bun, "--bun", "node_modules/.bin/knip", "--no-progress"]],
];

async function succeeds(command: string[], timeout?: number): Promise<boolean> {
  const child = Bun.spawn(command, {
    cwd: root,
    stdin: "ignore",
    stdout: "inherit",
    stderr: "inherit",
    // CI refuses a forgotten `test.only`, and snapshots that nobody has looked at.
    env: { ...process.env, CI: "1", ...(!process.stdout.isTTY && { NO_COLOR: "1" }) },
    ...(timeout === undefined ? {} : { timeout, killSignal: "SIGKILL" }),
  });
  return (await child.exited) === 0;
}

/** The counts of Bun's JUnit report, or zeros if the run died before it wrote one. */
async function readReport(path: string): Promise<Counts> {
  const file = Bun.file(path);
  const summary = (await file.exists()) ? (/<testsuites\b[^>]*>/.exec(await file.text())?.[0] ?? "") : "";
  const number = (attribute: string): number =>
    Number(new RegExp(`\\b${attribute}="(\\d+)"`).exec(summary)?.[1] ?? "0");
  const failed = number("failures") + number("errors");
  const skipped = number("skipped");
  return { passed: number("tests") - failed - skipped, failed, skipped };
}

async function runTests(problems: string[]): Promise<Counts> {
  const folder = await mkdtemp(join(tmpdir(), "streamer-tests-"));
  try {
    const report = join(folder, "junit.xml");
    const good = await succeeds([bun, "test", "--reporter=junit", `--reporter-outfile=${report}`], TEST_LIMIT_MS);
    const counts = await readReport(report);
    if (counts.failed > 0) problems.push(`${counts.failed} tests`);
    if (!good && counts.failed === 0) {
      problems.push("bun test: an error outside of any test, a crash, or no end in time");
      counts.failed += 1;
    }
    if (counts.passed + counts.failed + counts.skipped === 0) {
      problems.push("bun test: no report of any test");
      counts.failed += 1;
    }
    return counts;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const problems: string[] = [];
for (const [name, command] of CHECKS) {
  console.log(`checking ${name}`);
  if (!(await succeeds(command))) problems.push(name);
}
const failedChecks = problems.length;
const tests = await runTests(problems);
const passed = tests.passed + CHECKS.length - failedChecks;
const failed = tests.failed + failedChecks;
for (const problem of problems) console.log(`failed: ${problem}`);
console.log(`${passed} passed, ${failed} failed${tests.skipped > 0 ? `, ${tests.skipped} skipped` : ""}`);
process.exitCode = failed === 0 ? 0 : 1;
