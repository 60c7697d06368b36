// The table of promises: a row for each, made of what its tests have recorded.

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { type PromiseName, PROMISES } from "../../tests/support/promises.ts";
import type { Proof } from "../../tests/support/proof.ts";

/** Longest figure in a row, in characters: the reason of a failure may have pages. */
const FIGURE_LENGTH = 300;
/** The table stands between these lines of the page. */
const MARKS = ["<!-- torture -->", "<!-- /torture -->"] as const;

export interface Row {
  readonly name: PromiseName;
  readonly figure: string;
  readonly passed: boolean;
  /** Of all tests of the promise together. */
  readonly minutes: number;
  /** Highest load of the machine in the last minute of one of its tests. */
  readonly load: number;
  /** The run that found it, when that is not this one. */
  readonly earlier?: string;
}

/** What the tests of a promise have come to, in one row. */
export function rowOf(name: PromiseName, proofs: readonly Proof[]): Row {
  const own = proofs.filter(({ promise }) => promise === name);
  const broken = own.filter(({ passed }) => !passed);
  const shown = broken.length > 0 ? broken : own;
  return {
    name,
    figure: own.length === 0 ? "not proven" : added(shown.map(({ figure }) => oneLine(figure))).join("; "),
    passed: own.length > 0 && broken.length === 0,
    minutes: own.reduce((sum, { seconds }) => sum + seconds / 60, 0),
    load: Math.max(0, ...own.map(({ load }) => load)),
  };
}

/** Adds up figures that begin with a number and are alike otherwise, such as `3 cases` and `4 cases`. */
function added(figures: readonly string[]): string[] {
  const sums = new Map<string, number | undefined>();
  for (const figure of figures) {
    const [, number, rest] = /^(\d+)( .*)$/.exec(figure) ?? [];
    if (number === undefined || rest === undefined) sums.set(figure, undefined);
    else sums.set(rest, (sums.get(rest) ?? 0) + Number(number));
  }
  return [...sums].map(([rest, sum]) => `${sum ?? ""}${rest}`);
}

function oneLine(text: string): string {
  const plain = Bun.stripANSI(text).replaceAll(/\s+/g, " ").trim();
  return plain.length > FIGURE_LENGTH ? `${plain.slice(0, FIGURE_LENGTH - 3)}...` : plain;
}

export function tableOf(rows: readonly Row[]): string {
  const cells = rows.map(({ name, figure, passed, minutes, load, earlier }) => {
    const { text, goal } = PROMISES[name];
    const time = `${minutes.toFixed(1)}${earlier === undefined ? "" : `, ${earlier}`}`;
    const result = passed ? "pass" : "**FAIL**";
    return `| ${text} | ${goal} | ${figure.replaceAll("|", "\\|")} | ${time} | ${load.toFixed(1)} | ${result} |`;
  });
  return ["| Promise | Goal | Figure | Minutes | Load | |", "| --- | --- | --- | --- | --- | --- |", ...cells].join(
    "\n",
  );
}

/** Puts the table into docs/reliability.md. */
export async function writePage(root: string, text: string): Promise<void> {
  const page = join(root, "docs", "reliability.md");
  const before = await readFile(page, "utf8");
  const [start, end] = [before.indexOf(MARKS[0]), before.indexOf(MARKS[1])];
  if (start < 0 || end < start) throw new Error(`${page}: found no place for the table; allowed: ${MARKS.join(" ")}`);
  await writeFile(page, `${before.slice(0, start + MARKS[0].length)}\n\n${text}\n\n${before.slice(end)}`);
  await Bun.spawn([process.execPath, "run", "fmt"], { cwd: root, stdio: ["ignore", "ignore", "ignore"] }).exited;
}
