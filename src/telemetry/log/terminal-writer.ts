import { constants, openSync, writeSync } from "node:fs";

import { codeOf } from "../../lib/thrown.ts";

/** Time until a terminal that took nothing is tried again. */
const RETRY_MS = 50;

/** Writes text; calls `done` when all of it has been written, or with the error. In order. */
export type Write = (text: string, done: (error?: unknown) => void) => void;

/** Text that waits for the terminal. */
interface Pending {
  bytes: Uint8Array;
  readonly done: (error?: unknown) => void;
}

/**
 * Opens the terminal of a file descriptor once more, so that writing never blocks: Bun 1.4.5 writes to a terminal
 * synchronously, and one that was stopped with Ctrl-S would stop the whole program. The open file that other programs
 * share stays as it is. Returns undefined if the terminal cannot be opened, for example because it belongs to another
 * user.
 */
export function openTerminal(fd: number): Write | undefined {
  let own: number;
  try {
    own = openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NOCTTY | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
  const pending: Pending[] = [];
  const flush = (): void => {
    for (let first = pending[0]; first !== undefined; first = pending[0]) {
      try {
        first.bytes = first.bytes.subarray(writeSync(own, first.bytes));
      } catch (error) {
        if (codeOf(error) === "EAGAIN") return void setTimeout(flush, RETRY_MS).unref();
        first.bytes = first.bytes.subarray(first.bytes.length);
        pending.shift();
        first.done(error);
        continue;
      }
      if (first.bytes.length > 0) continue;
      pending.shift();
      first.done();
    }
  };
  return (text, done) => {
    pending.push({ bytes: Buffer.from(text), done });
    if (pending.length === 1) flush();
  };
}
