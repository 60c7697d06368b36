import { readFileSync } from "node:fs";

const SCHEDSTAT = "/proc/thread-self/schedstat";

/** Returns the time for which the calling thread has waited for a processor, in milliseconds; 0 where it is not known. */
export function runDelayMs(): number {
  try {
    // Nanoseconds on a processor, nanoseconds of waiting for one, slices.
    const [, wait = "0"] = readFileSync(SCHEDSTAT, "utf8").split(" ");
    return Number(wait) / 1e6;
  } catch {
    return 0;
  }
}
