/** Far longer than any wait takes on a machine with ten times the load it can carry. */
const PATIENCE_MS = 90_000;

const POLL_MS = 5;

/** Waits until `condition` holds. Rejects, naming `what`, when it does not come to hold. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited in vain: ${what}`);
    await Bun.sleep(POLL_MS);
  }
}

/** Returns the value of the promise. Rejects, naming `what`, when it does not settle. */
export async function soon<Value>(what: string, promise: Promise<Value>): Promise<Value> {
  let timer: Timer | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited in vain: ${what}`)), PATIENCE_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
