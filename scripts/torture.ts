// Everything that is promised about faults, load and hostile input, proven on the compiled executable:
//
//   npm run torture -- [--short | --endless] [--seed N] [--only PROMISE,PROMISE] [--write] [--resume FILE]
//
// Prints a line for each promise as it ends, then a table of promises and figures, and exits with 1 when one is broken
// or was not proven. After a Ctrl-C the table has the rows that there are. `--write` puts the table into
// docs/reliability.md. `--resume` keeps the rows in a file, and takes those of the same commit from there that passed.
// The names of promises are in tests/support/promises.ts.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import type { PromiseName } from "../tests/support/promises.ts";
import type { Form } from "../tests/support/proof.ts";
import { EarlierRows } from "./torture/earlier-rows.ts";
import { commitOf, load, machine } from "./torture/machine.ts";
import { expectedMinutes, NAMES, planFor } from "./torture/plan.ts";
import { type Row, rowOf, tableOf, writePage } from "./torture/rows.ts";
import { TortureRun } from "./torture/torture-run.ts";

const root = join(import.meta.dir, "..");
/** Exit code of a program that is ended by Ctrl-C. */
const INTERRUPTED = 130;

interface Flags {
  readonly seed: number;
  readonly form: Form;
  readonly only: readonly PromiseName[];
  readonly write: boolean;
  readonly resume: string | undefined;
}

function readFlags(): Flags {
  const { values } = parseArgs({
    options: {
      seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 32)) },
      short: { type: "boolean", default: false },
      endless: { type: "boolean", default: false },
      only: { type: "string" },
      write: { type: "boolean", default: false },
      resume: { type: "string" },
    },
  });
  const seed = Number(values.seed);
  if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32) {
    throw new Error(`--seed: found ${values.seed}; allowed: 0..${2 ** 32 - 1}`);
  }
  if (values.short && values.endless) throw new Error("--short: found --endless beside it; allowed: one of them");
  const form = values.short ? "short" : values.endless ? "endless" : "long";
  const named = values.only?.split(",").map(promiseNamed);
  const only = NAMES.filter((name) => named === undefined || named.includes(name));
  return { seed, form, only, write: values.write, resume: values.resume };
}

function promiseNamed(text: string): PromiseName {
  const found = NAMES.find((name) => name === text.trim());
  if (found === undefined) throw new Error(`--only: found ${text}; allowed: ${NAMES.join(", ")}`);
  return found;
}

/** Returns the exit code. */
async function torture({ seed, form, only, write, resume }: Flags): Promise<number> {
  const commit = await commitOf(root);
  const kept = resume === undefined ? undefined : new EarlierRows(resume, commit, form);
  const rows: Row[] = ((await kept?.read()) ?? []).filter(({ name }) => only.includes(name));
  const found = (name: PromiseName): Row | undefined => rows.find((row) => row.name === name);
  const left = only.filter((name) => found(name) === undefined);
  const plan = await planFor(root, left);
  const files = plan.together.length + plan.alone.length;
  const time = form === "long" ? `, about ${Math.ceil(expectedMinutes(plan))} min on two idle cores` : "";
  console.log(`seed ${seed}, ${form} form: ${left.length} promises in ${files} files of tests${time}`);
  for (const { name, earlier } of rows) console.log(`${name}: has passed in the ${earlier ?? "same run"}`);

  const folder = await mkdtemp(join(tmpdir(), "streamer-torture-"));
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => stop.abort());
  const [begunAt, loadBefore] = [performance.now(), load()];
  const done = (row: Row): void => {
    rows.push(row);
    kept?.add(row);
  };
  const run = new TortureRun({ root, folder, form, seed, plan, signal: stop.signal, print: console.log, done });
  await run.run();

  const minutes = ((performance.now() - begunAt) / 60_000).toFixed(0);
  const isOver = !stop.signal.aborted;
  // A promise that no test proves counts as broken.
  const shown = only.flatMap((name) => found(name) ?? (isOver ? rowOf(name, []) : []));
  const loads = `load ${loadBefore.toFixed(1)} before`;
  const text = `${title(form)} form, seed ${seed}, ${minutes} min, ${machine()}, ${commit}, ${loads}.\n\n${tableOf(shown)}`;
  console.log(`\n${text}\n`);
  for (const problem of run.problems) console.log(`failed: ${problem}`);
  if (!isOver) console.log(`stopped before: ${only.filter((name) => found(name) === undefined).join(", ")}`);
  if (write && isOver) await writePage(root, text);
  if (run.problems.length === 0) await rm(folder, { recursive: true });
  if (!isOver) return INTERRUPTED;
  return run.problems.length === 0 && shown.every(({ passed }) => passed) ? 0 : 1;
}

function title(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

try {
  process.exitCode = await torture(readFlags());
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
