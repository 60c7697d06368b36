import { writeFileSync } from "node:fs";

import { becomeWorkerProcess } from "../lib/worker-process.ts";
import { hasChannel, serveModelProcess } from "../worker/child/model-process.ts";
import { resolveModelTypes } from "../worker/model-types.ts";

/** Returns whether a server has started this process. */
export const isModelProcess = hasChannel;

/** Runs a model in this process. Only a server starts it. Never resolves: the process ends itself. */
export function modelProcess(): Promise<never> {
  nameProcess();
  becomeWorkerProcess();
  resolveModelTypes();
  serveModelProcess();
  return new Promise(() => {});
}

/** Names the process for `ps` and `top`: it was started as /proc/self/exe, and would be called `exe`. */
function nameProcess(): void {
  try {
    writeFileSync("/proc/self/comm", "streamer-model");
  } catch {
    // Only a name.
  }
}
