import { readdirSync, readFileSync } from "node:fs";

/** State and parent of a process; undefined: there is none. */
function statusOf(pid: number | string): { readonly state: string; readonly parent: number } | undefined {
  try {
    // The name, in parentheses, may contain anything.
    const [state = "", parent] = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
    return { state, parent: Number(parent) };
  } catch {
    return undefined;
  }
}

/** Returns whether a process runs: it has not ended, also not without having been reaped. */
export function isAlive(pid: number): boolean {
  const state = statusOf(pid)?.state;
  return state !== undefined && state !== "Z" && state !== "X";
}

/** Returns whether a process is stopped, in all of its threads. */
export function isStopped(pid: number): boolean {
  const threads = readdirSync(`/proc/${pid}/task`);
  return threads.every((thread) => statusOf(`${pid}/task/${thread}`)?.state === "T");
}

/** Returns the processes that a process has started and that have not ended. */
export function childrenOf(parent: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && statusOf(name)?.parent === parent)
    .map(Number)
    .filter(isAlive);
}

/** Returns the processes whose environment contains a text. */
export function processesWith(text: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/environ`, "latin1").includes(text);
    } catch {
      return false;
    }
  });
}
