/** Far longer than any wait takes, even on a machine with ten times the load that it can carry. */
const TIMEOUT_MS = 180_000;

const POLL_MS = 5;

/** Waits until `condition` holds. Rejects with an error that names `what` when it does not hold in time. */
export async function waitUntil(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + TIMEOUT_MS;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`timed out waiting for: ${what}`);
    await Bun.sleep(POLL_MS);
  }
}

/** Returns the value of `promise`. Rejects with an error that names `what` when the promise does not settle in time. */
export async function withTimeout<Value>(what: string, promise: Promise<Value>): Promise<Value> {
  let timer: Timer | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`timed out waiting for: ${what}`)), TIMEOUT_MS);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
