// The long forms of everything that is promised about faults, load and hostile input, on the compiled executable:
//
//   npm run torture -- [--seed N] [--short] [--only PROMISE,PROMISE] [--write]
//
// Prints a table of promises and figures, and exits with 1 when one is broken or was not proven. `--write` puts the
// table into docs/reliability.md. The names of promises are in tests/support/promises.ts.

import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { cpus, loadavg, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { type PromiseName, PROMISES } from "../tests/support/promises.ts";
import type { Proof } from "../tests/support/proof.ts";
import { runTests } from "./test-run.ts";

const root = join(import.meta.dir, "..");
const page = join(root, "docs", "reliability.md");
const NAMES = Object.keys(PROMISES).filter((name): name is PromiseName => name in PROMISES);
/** The table stands between these lines of the page. */
const MARKS = ["<!-- torture -->", "<!-- /torture -->"] as const;
/** The native fuzzing of the long form alone takes hours. */
const LIMIT_MS = 12 * 3_600_000;

interface Row {
  readonly name: PromiseName;
  readonly figure: string;
  readonly passed: boolean;
}

interface Flags {
  readonly seed: number;
  readonly short: boolean;
  readonly only: readonly PromiseName[];
  readonly write: boolean;
}

function readFlags(): Flags {
  const { values } = parseArgs({
    options: {
      seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 32)) },
      short: { type: "boolean", default: false },
      only: { type: "string" },
      write: { type: "boolean", default: false },
    },
  });
  const seed = Number(values.seed);
  if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32) {
    throw new Error(`--seed: found ${values.seed}; allowed: 0..${2 ** 32 - 1}`);
  }
  const only = values.only?.split(",") ?? NAMES;
  return { seed, short: values.short, write: values.write, only: only.map(promiseNamed) };
}

function promiseNamed(text: string): PromiseName {
  const found = NAMES.find((name) => name === text.trim());
  if (found === undefined) throw new Error(`--only: found ${text}; allowed: ${NAMES.join(", ")}`);
  return found;
}

/** The files of tests that prove one of these promises, relative to the root. */
async function filesProving(names: readonly PromiseName[]): Promise<string[]> {
  const all = (await readdir(join(root, "tests"), { recursive: true })).filter((file) => file.endsWith(".test.ts"));
  const found: string[] = [];
  for (const file of all.sort()) {
    const text = await readFile(join(root, "tests", file), "utf8");
    if (names.some((name) => text.includes(`prove("${name}"`))) found.push(join("tests", file));
  }
  return found;
}

async function readProofs(path: string): Promise<Proof[]> {
  const lines = (await readFile(path, "utf8").catch(() => "")).split("\n").filter((line) => line !== "");
  return lines.map((line) => JSON.parse(line) as Proof);
}

function rowOf(name: PromiseName, proofs: readonly Proof[]): Row {
  const own = proofs.filter(({ promise }) => promise === name);
  if (own.length === 0) return { name, figure: "not proven", passed: false };
  const broken = own.filter(({ passed }) => !passed);
  const shown = broken.length > 0 ? broken : own;
  return { name, figure: shown.map(({ figure }) => oneLine(figure)).join("; "), passed: broken.length === 0 };
}

function oneLine(text: string): string {
  const plain = Bun.stripANSI(text).replaceAll(/\s+/g, " ").trim();
  return plain.length > 300 ? `${plain.slice(0, 297)}...` : plain;
}

async function machine(): Promise<string> {
  const commit = await Bun.$`git rev-parse --short HEAD`.cwd(root).nothrow().quiet().text();
  const changed = (await Bun.$`git status --porcelain`.cwd(root).nothrow().quiet().text()) !== "";
  const [cpu] = cpus();
  const gib = Math.round(totalmem() / 2 ** 30);
  const load = loadavg()[0]?.toFixed(1) ?? "";
  const state = `commit ${commit.trim() || "unknown"}${changed ? " with changes" : ""}`;
  return `${cpus().length} x ${cpu?.model.trim() ?? "unknown"}, ${gib} GiB, ${state}, load at the end ${load}`;
}

function tableOf(rows: readonly Row[]): string {
  const cells = rows.map(({ name, figure, passed }) => {
    const { text, goal } = PROMISES[name];
    return `| ${text} | ${goal} | ${figure.replaceAll("|", "\\|")} | ${passed ? "pass" : "**FAIL**"} |`;
  });
  return ["| Promise | Goal | Figure | |", "| --- | --- | --- | --- |", ...cells].join("\n");
}

async function writePage(text: string): Promise<void> {
  const before = await readFile(page, "utf8");
  const [start, end] = [before.indexOf(MARKS[0]), before.indexOf(MARKS[1])];
  if (start < 0 || end < start) throw new Error(`${page}: found no place for the table; allowed: ${MARKS.join(" ")}`);
  await writeFile(page, `${before.slice(0, start + MARKS[0].length)}\n\n${text}\n\n${before.slice(end)}`);
  await Bun.spawn([process.execPath, "run", "fmt"], { cwd: root, stdio: ["ignore", "ignore", "ignore"] }).exited;
}

async function torture({ seed, short, only, write }: Flags): Promise<boolean> {
  const folder = await mkdtemp(join(tmpdir(), "streamer-torture-"));
  try {
    const path = join(folder, "proofs");
    const files = await filesProving(only);
    console.log(`seed ${seed}, ${short ? "short" : "long"} form, ${files.length} files of tests`);
    const started = performance.now();
    const env = { STREAMER_PROOFS: path, STREAMER_SEED: String(seed), STREAMER_TORTURE: short ? "short" : "long" };
    const run = await runTests(root, { files, env, limitMs: LIMIT_MS });
    const proofs = await readProofs(path);
    const rows = only.map((name) => rowOf(name, proofs));
    const minutes = ((performance.now() - started) / 60_000).toFixed(0);
    const form = `${short ? "Short" : "Long"} form, seed ${seed}, ${minutes} min, ${await machine()}.`;
    const text = `${form}\n\n${tableOf(rows)}`;
    console.log(`\n${text}\n`);
    for (const problem of run.problems) console.log(`failed: ${problem}`);
    if (write) await writePage(text);
    return run.failed === 0 && rows.every(({ passed }) => passed);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

try {
  if (!(await torture(readFlags()))) process.exitCode = 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
