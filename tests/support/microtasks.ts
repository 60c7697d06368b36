/** Runs all microtasks that are queued, and those that they queue, up to so many in a row. */
export async function runMicrotasks(turns = 50): Promise<void> {
  for (let i = 0; i < turns; i++) await Promise.resolve();
}
