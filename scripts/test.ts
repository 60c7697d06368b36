// Checks everything: formatting, types, lint, unused code, then the tests. Each check counts as one test. The last line is
// plain, `N passed, N failed` (and `, N skipped` if there are), from what really ran; the exit code is 0 only if none failed.

import { join } from "node:path";

import { runTests } from "./test-run.ts";

const root = join(import.meta.dir, "..");
const bun = process.execPath;

const CHECKS: [name: string, command: string[]][] = [
  ["formatting (repair with `bun fmt`)", [bun, "fmt", "--check", "--no-script"]],
  ["types", [bun, "check", "--no-script"]],
  ["lint", [bun, "--bun", "node_modules/.bin/oxlint"]],
  ["unused files, exports and packages", [bun, "--bun", "node_modules/.bin/knip", "--no-progress"]],
];

async function succeeds(command: string[]): Promise<boolean> {
  const child = Bun.spawn(command, {
    cwd: root,
    stdin: "ignore",
    stdout: "inherit",
    stderr: "inherit",
    env: { ...process.env, ...(!process.stdout.isTTY && { NO_COLOR: "1" }) },
  });
  return (await child.exited) === 0;
}

const problems: string[] = [];
for (const [name, command] of CHECKS) {
  console.log(`checking ${name}`);
  if (!(await succeeds(command))) problems.push(name);
}
const failedChecks = problems.length;
const tests = await runTests(root);
problems.push(...tests.problems);
const passed = tests.passed + CHECKS.length - failedChecks;
const failed = tests.failed + failedChecks;
for (const problem of problems) console.log(`failed: ${problem}`);
console.log(`${passed} passed, ${failed} failed${tests.skipped > 0 ? `, ${tests.skipped} skipped` : ""}`);
process.exitCode = failed === 0 ? 0 : 1;
