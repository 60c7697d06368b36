// Which files of tests prove which promise, and in which order they run.

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import { type PromiseName, PROMISES } from "../../tests/support/promises.ts";

export const NAMES = Object.keys(PROMISES).filter((name): name is PromiseName => name in PROMISES);

/** One file of tests, and what it proves of what was asked for. */
export interface PlannedFile {
  /** Relative to the root. */
  readonly path: string;
  readonly promises: readonly PromiseName[];
}

export interface Plan {
  /** Files that run two at a time, the longest first. */
  readonly together: readonly PlannedFile[];
  /** Files that judge memory, time or what a machine carries, one at a time. */
  readonly alone: readonly PlannedFile[];
}

/** Finds the files that prove some of these promises. */
export async function planFor(root: string, names: readonly PromiseName[]): Promise<Plan> {
  const all = (await readdir(join(root, "tests"), { recursive: true })).filter((file) => file.endsWith(".test.ts"));
  const found: PlannedFile[] = [];
  for (const file of all.sort()) {
    const text = await readFile(join(root, "tests", file), "utf8");
    const promises = names.filter((name) => text.includes(`prove("${name}"`));
    if (promises.length > 0) found.push({ path: join("tests", file), promises });
  }
  const isAlone = ({ promises }: PlannedFile): boolean => promises.some((name) => isJudgedAlone(name));
  return {
    together: found.filter((file) => !isAlone(file)).toSorted((a, b) => minutesOf(b) - minutesOf(a)),
    alone: found.filter(isAlone),
  };
}

/** The minutes of the long form on two idle cores, about. */
export function expectedMinutes({ together, alone }: Plan): number {
  const sum = (files: readonly PlannedFile[]): number => files.reduce((all, file) => all + minutesOf(file), 0);
  return sum(together) / 2 + sum(alone);
}

function minutesOf({ promises }: PlannedFile): number {
  return promises.reduce((sum, name) => sum + PROMISES[name].minutes, 0);
}

function isJudgedAlone(name: PromiseName): boolean {
  return PROMISES[name].alone;
}
