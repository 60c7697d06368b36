// Checks that need no test run: formatting, types, lint, unused code, links of the documents. `bun run check`
// prints what each found and ends with 1 when one failed.

import { join } from "node:path";

const root = join(import.meta.dir, "..");
const bun = process.execPath;

export interface Check {
  readonly name: string;
  readonly command: readonly string[];
  /** The command that repairs it, where there is one. */
  readonly repair?: string;
}

const CHECKS: readonly Check[] = [
  { name: "formatting", command: [bun, "fmt", "--check", "--no-script"], repair: "bun run fmt" },
  { name: "types", command: [bun, "check", "--no-script"] },
  { name: "types of the console", command: [bun, "check", "--no-script", "-p", "src/console"] },
  { name: "lint", command: [bun, "--bun", "node_modules/.bin/oxlint"] },
  { name: "unused code", command: [bun, "--bun", "node_modules/.bin/knip", "--no-progress"] },
  { name: "links", command: [bun, "test", "./tests/docs/links.test.ts"] },
];

/** Runs all checks at once and prints the output of those that failed. Returns the names of these, in order. */
export async function runChecks(
  checks: readonly Check[] = CHECKS,
  print: (line: string) => void = console.log,
): Promise<{ passed: number; failed: string[] }> {
  const failed: string[] = [];
  const runs = checks.map(outputOf);
  for (const [index, { name, repair }] of checks.entries()) {
    const { code, output } = await runs[index]!;
    print(code === 0 ? `check: ${name} passed` : `check: ${name} failed\n${output.trimEnd()}`);
    if (code === 0) continue;
    failed.push(name);
    if (repair !== undefined) print(`repair: ${repair}`);
  }
  return { passed: checks.length - failed.length, failed };
}

async function outputOf({ command }: Check): Promise<{ code: number; output: string }> {
  const child = Bun.spawn([...command], {
    cwd: root,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    env: { ...process.env, ...(process.stdout.isTTY ? { FORCE_COLOR: "1" } : { NO_COLOR: "1" }) },
  });
  const [code, out, err] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
  return { code, output: out + err };
}

if (import.meta.main) {
  const { failed } = await runChecks();
  console.log(failed.length === 0 ? "all checks passed" : `failed: ${failed.join(", ")}`);
  process.exitCode = failed.length === 0 ? 0 : 1;
}
