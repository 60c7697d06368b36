import { totalmem } from "node:os";

import { groupFiles, type GroupLimit, type ReadText } from "../lib/control-groups.ts";
import { readSystemText } from "../lib/system-text.ts";

/** Memory that this process may use, and what limits it. */
export interface MemoryLimit {
  readonly bytes: number;
  readonly from: "container" | "machine";
}

const MEMORY: GroupLimit = { controller: "memory", files: ["memory.max", "memory.limit_in_bytes"] };

/**
 * Returns the memory that this process may use: the least limit of its control groups (`memory.max` of version 2,
 * `memory.limit_in_bytes` of version 1), from its own up to the root, or the memory of the machine. "max" and what cannot
 * be read limit nothing.
 */
export function memoryLimit(read: ReadText = readSystemText, machineBytes: number = totalmem()): MemoryLimit {
  const limits = groupFiles(read, MEMORY).map(({ text }) => Number.parseInt(text, 10));
  const bytes = Math.min(machineBytes, ...limits.filter((limit) => limit > 0));
  return { bytes, from: bytes < machineBytes ? "container" : "machine" };
}
