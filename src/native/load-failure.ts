import { isAbsolute } from "node:path";

import { codeOf, messageOf } from "../lib/thrown.ts";

/** The C library cannot be loaded. The message is a sentence for whoever runs the program. */
export class NativeLibraryError extends Error {
  override readonly name = "NativeLibraryError";
}

/** Variables that name the temporary folder, by precedence, as in Bun 1.4.5. An empty one counts as absent. */
const VARIABLES = ["BUN_TMPDIR", "TMPDIR", "TMP", "TEMP"] as const;
const DEFAULT_FOLDER = "/tmp";

type Environment = Readonly<Record<string, string | undefined>>;

/** Returns the temporary folder. Throws an error when it is not an absolute path. */
export function temporaryFolder(env: Environment): string {
  const { folder } = chosenFolder(env);
  if (!isAbsolute(folder)) throw new Error("it is not an absolute path");
  return folder;
}

/**
 * Returns a sentence about why the library, which the executable contains, cannot be loaded from memory nor from the
 * temporary folder, and how to move the latter.
 * @param memory why not from memory
 * @param error what the copy in the temporary folder, or dlopen, has thrown
 */
export function describeUnpackFailure(memory: string, error: unknown, env: Environment): string {
  const { folder, variable } = chosenFolder(env);
  const source = variable === undefined ? "" : ` (${variable})`;
  const remedy = `set ${variable ?? "TMPDIR"} to a folder that can be written to and allows execution`;
  return (
    `the C library can be loaded neither from memory (${memory}) nor from the temporary folder ${folder}${source}: ` +
    `${problemOf(error)}; ${remedy}`
  );
}

function chosenFolder(env: Environment): { folder: string; variable: string | undefined } {
  const variable = VARIABLES.find((name) => env[name]);
  return { folder: (variable && env[variable]) || DEFAULT_FOLDER, variable };
}

function problemOf(error: unknown): string {
  const message = messageOf(error);
  if (message.includes("failed to map segment")) return "it is mounted with noexec";
  return PROBLEMS[codeOf(error) ?? ""] ?? message;
}

const PROBLEMS: Readonly<Record<string, string>> = {
  ENOENT: "it does not exist",
  ENOTDIR: "it is not a folder",
  EACCES: "it cannot be written to",
  EROFS: "it is read-only",
  ENOSPC: "it is full",
};
