import { accessSync, constants, statfsSync, statSync } from "node:fs";
import { isAbsolute } from "node:path";

import { codeOf } from "../lib/thrown.ts";

/** The C library cannot be loaded. The message is a sentence for whoever runs the program. */
export class NativeLibraryError extends Error {
  override readonly name = "NativeLibraryError";
}

/** Variables that name the temporary folder of Bun 1.4.5, by precedence. An empty one counts as absent. */
const VARIABLES = ["BUN_TMPDIR", "TMPDIR", "TMP", "TEMP"] as const;
const DEFAULT_FOLDER = "/tmp";
/** More than the library has. */
const LIBRARY_BYTES = 256 * 1024;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Returns a sentence about why the library, which the executable unpacks to the temporary folder, cannot be loaded from
 * there, and how to move it.
 * @param reason the message of dlopen
 */
export function describeUnpackFailure(reason: string, env: Environment): string {
  const variable = VARIABLES.find((name) => env[name]);
  const folder = (variable && env[variable]) || DEFAULT_FOLDER;
  const source = variable === undefined ? "" : ` (${variable})`;
  const why = problemOf(folder, reason);
  const remedy = `set ${variable ?? "TMPDIR"} to a folder that can be written to and allows execution`;
  return `the C library cannot be loaded from the temporary folder ${folder}${source}: ${why}; ${remedy}`;
}

function problemOf(folder: string, reason: string): string {
  if (!isAbsolute(folder)) return "it is not an absolute path";
  try {
    if (!statSync(folder).isDirectory()) return "it is not a folder";
    if (reason.includes("failed to map segment")) return "it is mounted with noexec";
    const [damaged] = /\/\.bun-[^/:"]+/.exec(reason) ?? [];
    if (damaged !== undefined) return `${folder}${damaged} is damaged, delete it`;
    accessSync(folder, constants.W_OK | constants.X_OK);
    const { bavail, bsize } = statfsSync(folder);
    if (bavail * bsize < LIBRARY_BYTES) return "it is full";
  } catch (error) {
    return PROBLEMS[codeOf(error) ?? ""] ?? reason;
  }
  return reason;
}

const PROBLEMS: Readonly<Record<string, string>> = {
  ENOENT: "it does not exist",
  ENOTDIR: "it does not exist",
  EACCES: "it cannot be written to",
  EROFS: "it is read-only",
};
