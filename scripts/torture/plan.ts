// Which files of tests prove which promise, and in which order they run.

import { readdir, readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";

import { type PromiseName, PROMISES } from "../../tests/support/promises.ts";

/** Files at a time, where none judges memory or time. Many wait; one more than cores fills the gaps. */
export const LANES = Math.min(4, availableParallelism() + 1);

export const NAMES = Object.keys(PROMISES).filter((name): name is PromiseName => name in PROMISES);

/** One file of tests, and what it proves of what was asked for. */
export interface PlannedFile {
  /** Relative to the root. */
  readonly path: string;
  readonly promises: readonly PromiseName[];
  /** Of the long form on two idle cores, about. */
  readonly minutes: number;
}

export interface Plan {
  /** Files of which LANES run at a time, the longest first. */
  readonly together: readonly PlannedFile[];
  /** Files that judge memory, time or what a machine carries, one at a time. */
  readonly alone: readonly PlannedFile[];
}

/** Finds the files that prove some of these promises. */
export async function planFor(root: string, names: readonly PromiseName[]): Promise<Plan> {
  const all = (await readdir(join(root, "tests"), { recursive: true })).filter((file) => file.endsWith(".test.ts"));
  const found: Omit<PlannedFile, "minutes">[] = [];
  for (const file of all.sort()) {
    const text = await readFile(join(root, "tests", file), "utf8");
    const promises = names.filter((name) => text.includes(`prove("${name}"`));
    if (promises.length > 0) found.push({ path: join("tests", file), promises });
  }
  const filesOf = (name: PromiseName): number => found.filter(({ promises }) => promises.includes(name)).length;
  const files = found.map(({ path, promises }) => {
    const minutes = promises.reduce((sum, name) => sum + PROMISES[name].minutes / filesOf(name), 0);
    return { path, promises, minutes };
  });
  const isAlone = ({ promises }: PlannedFile): boolean => promises.some((name) => PROMISES[name].alone);
  return {
    together: files.filter((file) => !isAlone(file)).toSorted((a, b) => b.minutes - a.minutes),
    alone: files.filter(isAlone),
  };
}

/** The minutes of the long form on two idle cores, about. */
export function expectedMinutes({ together, alone }: Plan): number {
  const sum = (files: readonly PlannedFile[]): number => files.reduce((all, { minutes }) => all + minutes, 0);
  return Math.max(sum(together) / LANES, together[0]?.minutes ?? 0) + sum(alone);
}
