import { closeSync, openSync, readFileSync } from "node:fs";

import { codeOf } from "./thrown.ts";

/**
 * Returns whether the process can open this many more files.
 * @throws nothing for a limit; the error of the operating system for everything else
 */
export function canOpen(count: number): boolean {
  const opened: number[] = [];
  try {
    while (opened.length < count) opened.push(openSync("/dev/null", "r"));
    return true;
  } catch (error) {
    // EMFILE: the limit of the process; ENFILE: that of the machine.
    const code = codeOf(error);
    if (code === "EMFILE" || code === "ENFILE") return false;
    throw error;
  } finally {
    opened.forEach(closeSync);
  }
}

/**
 * Returns the most files that the process may have open; undefined where it is not known. Bun 1.4.5 raises the soft
 * limit to the hard one when it starts.
 */
export function descriptorLimit(): number | undefined {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}
