import { readFileSync } from "node:fs";

/**
 * Returns how long the machine has been running, in milliseconds, with an accuracy of 10: a clock that its processes
 * share and that nobody can set. Time in which the machine is suspended counts. Without /proc it is the clock on the
 * wall.
 */
export function machineUptime(): number {
  try {
    return Math.round(Number.parseFloat(readFileSync("/proc/uptime", "latin1")) * 1000);
  } catch {
    return Date.now();
  }
}
