// One run of `bun test`, counted by its JUnit report and its exit code.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { killTree } from "./process-tree.ts";

export interface TestRun {
  passed: number;
  failed: number;
  skipped: number;
  /** What went wrong, a phrase each; empty when everything passed. */
  readonly problems: string[];
}

export interface TestRunOptions {
  /** Runs these files instead of all that `bun test` finds. Paths are relative to the root. */
  readonly files?: readonly string[];
  /** Files that run at a time, each in a process of its own. */
  readonly parallel?: number;
  /** Returns milliseconds that a file of `files` takes, about: of several at a time, the longest begin first. */
  readonly expectedMs?: (file: string) => number;
  /** Where the output of the tests goes: a number is a descriptor. */
  readonly output?: "inherit" | "ignore" | number;
  /** Variables besides those of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** A run that hangs ends after this time, in milliseconds. */
  readonly limitMs?: number;
  /** Ends the run at once, with all that the tests have started. */
  readonly signal?: AbortSignal;
}

/** Default limit of a run. At ten times the load that a machine can carry, a run takes 20 minutes. */
const LIMIT_MS = 45 * 60_000;
/** The limit of a test that sets none. The default of Bun, 5 s, fails on a busy machine. */
const TEST_LIMIT_MS = 300_000;

/**
 * Runs tests of the project in `root`. A crash, an error outside of any test and a run without tests each count as one
 * failure.
 */
export async function runTests(root: string, options: TestRunOptions = {}): Promise<TestRun> {
  const { files, parallel = 1, expectedMs, output = "inherit", env, limitMs = LIMIT_MS, signal } = options;
  const folder = await mkdtemp(join(tmpdir(), "streamer-tests-"));
  try {
    const report = join(folder, "junit.xml");
    const flags = [`--timeout=${TEST_LIMIT_MS}`, "--reporter=junit", `--reporter-outfile=${report}`];
    if (parallel > 1) flags.push(`--parallel=${parallel}`);
    if (parallel > 1 && files !== undefined && expectedMs !== undefined) {
      const timings = join(folder, "timings.json");
      const all = Object.fromEntries(files.map((file) => [file, expectedMs(file)]));
      await writeFile(timings, JSON.stringify({ version: 1, files: all }));
      flags.push(`--timings=${timings}`);
    }
    // The command line overrides the patterns of bunfig.toml; this one matches nothing.
    const chosen = files === undefined ? [] : ["--path-ignore-patterns=-", ...files.map((file) => `./${file}`)];
    const child = Bun.spawn([process.execPath, "test", ...flags, ...chosen], {
      cwd: root,
      // With CI set, Bun refuses a forgotten `test.only` and new snapshots.
      env: { ...process.env, ...env, CI: "1" },
      stdin: "ignore",
      stdout: output,
      stderr: output,
      // In a session of its own, a Ctrl-C does not end it before those that it has started are known.
      detached: signal !== undefined,
    });
    using ended = new DisposableStack();
    const end = (): void => killTree(child.pid);
    ended.adopt(setTimeout(end, limitMs), clearTimeout);
    signal?.addEventListener("abort", end);
    ended.defer(() => signal?.removeEventListener("abort", end));
    if (signal?.aborted === true) end();
    const code = await child.exited;
    const run = await readReport(report);
    if (run.failed > run.problems.length) run.problems.push(`${run.failed} of the tests`);
    else if (run.failed > 0) return run;
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

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };
/** A test of the report that has failed. */
const FAILED_TEST = /<testcase\b([^>]*)>\s*<(?:failure|error)\b/g;

/** Reads the counts and the failed tests of the JUnit report; zeros when the run died before writing one. */
async function readReport(path: string): Promise<TestRun> {
  const file = Bun.file(path);
  const text = (await file.exists()) ? await file.text() : "";
  const summary = /<testsuites\b[^>]*>/.exec(text)?.[0] ?? "";
  const number = (attribute: string): number =>
    Number(new RegExp(`\\b${attribute}="(\\d+)"`).exec(summary)?.[1] ?? "0");
  const failed = number("failures") + number("errors");
  const skipped = number("skipped");
  const problems = [...text.matchAll(FAILED_TEST)].map(([, attributes = ""]) => titleOf(attributes));
  return { passed: number("tests") - failed - skipped, failed, skipped, problems };
}

/** `FILE: GROUP > TEST`, from the attributes of a test in the report. */
function titleOf(attributes: string): string {
  const value = (name: string): string => {
    const escaped = new RegExp(`\\b${name}="([^"]*)"`).exec(attributes)?.[1] ?? "";
    return escaped.replaceAll(/&(\w+);/g, (entity, key: string) => ENTITIES[key] ?? entity);
  };
  return `${value("file")}: ${[value("classname"), value("name")].filter((part) => part !== "").join(" > ")}`;
}
