import { readFileSync } from "node:fs";

/** Returns true when the process has a controlling terminal, which sends SIGHUP when it is closed. */
export function hasControllingTerminal(): boolean {
  try {
    // The name of the program, in parentheses, may contain anything. The fifth field after it is tty_nr (man 5 proc).
    const [, rest = ""] = /\) (.*)$/s.exec(readFileSync("/proc/self/stat", "utf8")) ?? [];
    return rest.split(" ")[4] !== "0";
  } catch {
    return true;
  }
}
