/** Time, given from outside so that tests need not sleep. */
export interface Clock {
  /** Milliseconds that only go forward, from an arbitrary start. */
  now(): number;
  /** Runs `task` once, `milliseconds` from now; returns a function that calls it off. */
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
