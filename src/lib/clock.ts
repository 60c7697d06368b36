/** Time as a dependency, so that tests need not sleep. */
export interface Clock {
  /** Monotonic milliseconds from an arbitrary start. */
  now(): number;
  /** Runs `task` once, `milliseconds` from now; returns a function that cancels it. */
  after(milliseconds: number, task: () => void): () => void;
}

/** The machine's clock. Its timers do not keep the process alive. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after(milliseconds, task) {
    const timer = setTimeout(task, milliseconds);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** Resolves at `time` on the clock (milliseconds), or when `signal` is aborted. */
export function sleepUntil(clock: Clock, time: number, signal: AbortSignal): Promise<void> {
  const delay = time - clock.now();
  if (delay <= 0 || signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const wake = () => {
      cancel();
      signal.removeEventListener("abort", wake);
      resolve();
    };
    const cancel = clock.after(delay, wake);
    signal.addEventListener("abort", wake, { once: true });
  });
}
