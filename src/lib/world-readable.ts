import { realpathSync, statSync } from "node:fs";
import { dirname } from "node:path";

import { mountOptions, readMounts } from "./mounts.ts";

/** Permissions of every user: to read a file, to write to a file or a folder, and to open what is in a folder. */
const OTHERS_READ = 0o004;
const OTHERS_WRITE = 0o002;
const OTHERS_SEARCH = 0o001;

/**
 * Returns the mode of a file that every user of the machine can read, such as `0644`; undefined: not every user can, it
 * is no file, or it is on a read-only mount. Such are secrets in containers, whose mode is 0444 or 0644 by default: it
 * is that of the mount, which cannot be changed from inside, and the server is the only user there.
 *
 * Permission of the group does not count: it is how a file that belongs to root is given to one server.
 * @param mounts those of the process, as /proc/self/mountinfo has them
 */
export function worldReadableMode(path: string, mounts = readMounts()): string | undefined {
  return modeForAll(path, OTHERS_READ, mounts);
}

/** Returns the mode of a file or folder that every user can write to, as `worldReadableMode` does. */
export function worldWritableMode(path: string, mounts = readMounts()): string | undefined {
  return modeForAll(path, OTHERS_WRITE, mounts);
}

/** Returns the mode of a file that gives a permission to every user, if its path and its mount do so, too. */
function modeForAll(path: string, permission: number, mounts: string): string | undefined {
  try {
    const file = realpathSync(path);
    const { mode } = statSync(file);
    if ((mode & permission) === 0 || mountOptions(file, mounts).includes("ro")) return undefined;
    for (let folder = dirname(file); ; folder = dirname(folder)) {
      if ((statSync(folder).mode & OTHERS_SEARCH) === 0) return undefined;
      if (folder === dirname(folder)) return (mode & 0o7777).toString(8).padStart(4, "0");
    }
  } catch {
    // A pipe, or a file that is being replaced.
    return undefined;
  }
}

/** Returns the sentence of a warning. @param mode as `worldReadableMode` returns it @param what is secret in the file */
export function worldReadableWarning(path: string, mode: string, what = "it"): string {
  return `${path}: found mode ${mode}, so that every user can read ${what}; better: chmod o-r`;
}
