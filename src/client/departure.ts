import { wait } from "./recovery.ts";
import type { ClientSocket } from "./socket.ts";

/** Parts of the time until the deadline: waits are up to this one, by chance. */
const SPREAD = 0.5;
/** Between two connections that no server has taken. */
const PAUSE = 0.1;
/** From here on the stream stays, and ends where it is. */
const LATEST = 0.8;

export interface DepartureOptions {
  /** Milliseconds until the server ends the stream. */
  readonly deadlineMs: number;
  /** The stream is still open at this server, and can go on elsewhere. */
  readonly isNeeded: () => boolean;
  /** Connects to a server that takes streams. Rejects with a ConnectionError if there is none. */
  readonly open: (signal: AbortSignal) => Promise<ClientSocket>;
  /** Ends the departure when aborted. */
  readonly signal: AbortSignal;
  /** Returns 0 to 1: streams of a server that drains do not leave all at once. */
  readonly random?: () => number;
}

/**
 * Returns a connection to another server for the stream of a server that drains, so that the old one need not be given
 * up before. Undefined: no server took it in time, or the stream has ended.
 */
export async function depart(options: DepartureOptions): Promise<ClientSocket | undefined> {
  const { deadlineMs, isNeeded, open, signal, random = Math.random } = options;
  const began = performance.now();
  while (performance.now() - began < deadlineMs * LATEST) {
    await wait(deadlineMs * SPREAD * random(), signal);
    if (!isNeeded()) return undefined;
    const socket = await open(signal).catch(() => undefined);
    if (socket !== undefined && isNeeded()) return socket;
    socket?.close(1000, "");
    if (!isNeeded()) return undefined;
    await wait(deadlineMs * PAUSE, signal);
  }
  return undefined;
}
