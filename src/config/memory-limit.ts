import { readFileSync } from "node:fs";
import { totalmem } from "node:os";
import { dirname, join } from "node:path";

/** Memory that this process may use, and what limits it. */
export interface MemoryLimit {
  readonly bytes: number;
  readonly from: "container" | "machine";
}

/** Returns the text of a file; undefined: it cannot be read. */
export type ReadText = (path: string) => string | undefined;

const CGROUPS = "/sys/fs/cgroup";

/**
 * Returns the memory that this process may use: the least limit of its control groups (`memory.max` of version 2,
 * `memory.limit_in_bytes` of version 1), from its own up to the root, or the memory of the machine.
 */
export function memoryLimit(read: ReadText = readText, machineBytes: number = totalmem()): MemoryLimit {
  let bytes = machineBytes;
  for (const line of (read("/proc/self/cgroup") ?? "").split("\n")) {
    const [, controllers = "", path = "/"] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (line === "" || (controllers !== "" && !controllers.split(",").includes("memory"))) continue;
    const files = controllers === "" ? [CGROUPS, `${CGROUPS}/unified`] : [`${CGROUPS}/memory`];
    const name = controllers === "" ? "memory.max" : "memory.limit_in_bytes";
    for (const root of files) bytes = Math.min(bytes, leastLimit(read, root, path, name));
  }
  return { bytes, from: bytes < machineBytes ? "container" : "machine" };
}

/** The least limit of a group and all those above it. "max" and what cannot be read limit nothing. */
function leastLimit(read: ReadText, root: string, path: string, name: string): number {
  let least = Infinity;
  for (let group = join("/", path); ; group = dirname(group)) {
    const limit = Number.parseInt(read(join(root, group, name)) ?? "", 10);
    if (limit > 0) least = Math.min(least, limit);
    if (group === "/") return least;
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
