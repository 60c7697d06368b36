import { readFile } from "node:fs/promises";
import { constants } from "node:os";

import { waitUntil } from "./wait.ts";

/** Waits until a process handles a signal itself: before, the signal would simply end it. */
export async function waitForHandler(pid: number, signal: NodeJS.Signals): Promise<void> {
  const bit = 1n << BigInt(constants.signals[signal] - 1);
  await waitUntil(`a handler of ${signal}`, async () => {
    const status = await readFile(`/proc/${pid}/status`, "utf8");
    const [, caught = "0"] = /^SigCgt:\s*(\w+)/m.exec(status) ?? [];
    return (BigInt(`0x${caught}`) & bit) !== 0n;
  });
}

/** Resolves when a further signal no longer counts as a copy of one that was handled before the call. */
export function afterCopies(): Promise<void> {
  return Bun.sleep(300);
}
