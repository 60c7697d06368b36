import { availableParallelism } from "node:os";

import { MAX_PROCESSES } from "../../config/config.ts";

/**
 * Returns the number of processes. `auto` is one for every two processors, because a process has a main thread and at
 * least one worker.
 */
export function processCount(setting: number | "auto", processors = availableParallelism()): number {
  return setting === "auto" ? Math.min(MAX_PROCESSES, Math.max(1, Math.floor(processors / 2))) : setting;
}
