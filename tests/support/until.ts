/** Far longer than anything here takes: a wait that reaches it has found a fault. */
export const PATIENCE_MS = 30_000;

const POLL_MS = 5;

/** Waits until `condition` holds. Rejects, naming `what`, when it never does. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited in vain: ${what}`);
    await Bun.sleep(POLL_MS);
  }
}

/** The promise's value. Rejects, naming `what`, when it takes for ever. */
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
