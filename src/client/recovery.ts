import { messageOf } from "../lib/thrown.ts";
import { ConnectionError, ConnectionRefused, StartRefused } from "./errors.ts";

/** Time after a lost connection in which a client tries to go on with its stream, in milliseconds. */
export const RESUME_MS = 60_000;
/** Longest wait before the first attempt, and between two attempts. Waits double, and are shortened by chance. */
const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 5_000;

export interface RecoveryOptions {
  /** Connects and sends the start of the stream. Resolves when the server has accepted it. */
  readonly attempt: (signal: AbortSignal) => Promise<void>;
  /** Ends the recovery when aborted. */
  readonly signal: AbortSignal;
  /** Milliseconds. */
  readonly limitMs: number;
  /** Returns 0 to 1: clients of a server that has died do not come back all at once. */
  readonly random?: () => number;
  /** Waits so many milliseconds, or until the signal is aborted. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Returns milliseconds. */
  readonly now?: () => number;
}

/**
 * Tries to resume a stream until it succeeds. Rejects with a ConnectionError when the server refuses for good, and when
 * the time is up.
 */
export async function recover(lost: ConnectionError, options: RecoveryOptions): Promise<void> {
  const { attempt, limitMs, random = Math.random, sleep = wait, now = () => performance.now() } = options;
  const until = now() + limitMs;
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(Math.min(limitMs, 2 ** 31 - 1))]);
  let longest = FIRST_WAIT_MS;
  let least = 0;
  for (;;) {
    await sleep(Math.max(least, longest * (0.25 + 0.75 * random())), signal);
    if (signal.aborted || now() >= until) throw failed(lost, `no server took it within ${limitMs / 1000} s`);
    longest = Math.min(LONGEST_WAIT_MS, longest * 2);
    try {
      return await attempt(signal);
    } catch (error) {
      const isRefusal = error instanceof StartRefused || error instanceof ConnectionRefused;
      const refusal = isRefusal ? error.event : undefined;
      if (refusal !== undefined && refusal.retryable !== true) throw failed(lost, messageOf(error));
      if (refusal === undefined && !(error instanceof ConnectionError) && !signal.aborted) throw error;
      least = refusal?.retry_after_ms ?? 0;
    }
  }
}

function failed({ message, closeCode, closeReason }: ConnectionError, why: string): ConnectionError {
  return new ConnectionError("closed", `${message}; the stream could not be resumed: ${why}`, closeCode, closeReason);
}

/** Waits so many milliseconds, or until the signal is aborted. */
export function wait(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done, { once: true });
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
  });
}
