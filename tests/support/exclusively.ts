import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Does something that only one process at a time may do: tests run in several. The system gives the lock up when the
 * process ends, however that is.
 * @param lock a file, which is created and stays
 */
export async function exclusively<Result>(lock: string, act: () => Promise<Result>): Promise<Result> {
  const flock = Bun.which("flock");
  if (flock === null) return await act();
  await mkdir(dirname(lock), { recursive: true });
  // `cat` ends when its input does, at the latest with this process.
  const child = Bun.spawn([flock, lock, "sh", "-c", "echo locked && exec cat"], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  try {
    await child.stdout.getReader().read();
    return await act();
  } finally {
    await child.stdin.end();
    await child.exited;
  }
}
