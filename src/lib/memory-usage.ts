let last = process.memoryUsage();

/** Returns the memory of this process; that of the last call while no file descriptor is left to read it. */
export function memoryUsage(): NodeJS.MemoryUsage {
  try {
    last = process.memoryUsage();
  } catch {
    // Bun 1.4.5 opens /proc/self/statm for it.
  }
  return last;
}
