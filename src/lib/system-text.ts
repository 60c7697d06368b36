import { readFileSync } from "node:fs";

/** Returns the text of a file of the system, such as `/proc/meminfo`; undefined: it cannot be read. */
export function readSystemText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
