import type { Clock } from "../../lib/clock.ts";

/** The end of a call that is not answered. */
export interface CallEnding extends Disposable {
  readonly options: { readonly signal: AbortSignal; readonly timeoutMs: number };
}

/**
 * Returns a signal that ends a call by its time, with a `TimeoutError`, or together with another signal. Disposing of it
 * releases the timer.
 */
export function callEnding(clock: Clock, leftMs: number, other?: AbortSignal): CallEnding {
  const timeoutMs = Math.max(0, leftMs);
  const controller = new AbortController();
  const cancel = clock.after(timeoutMs, () => controller.abort(new DOMException("no answer in time", "TimeoutError")));
  const abort = (): void => controller.abort(other?.reason);
  other?.addEventListener("abort", abort, { once: true });
  if (other?.aborted === true) abort();
  return {
    options: { signal: controller.signal, timeoutMs },
    [Symbol.dispose]: () => {
      cancel();
      other?.removeEventListener("abort", abort);
    },
  };
}
