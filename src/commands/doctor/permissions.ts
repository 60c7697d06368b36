import { accessSync, constants } from "node:fs";

import { codeOf, messageOf } from "../../lib/thrown.ts";

const PROBLEMS: Readonly<Record<string, string>> = {
  ENOENT: "the folder does not exist",
  ENOTDIR: "it is not a folder",
  EACCES: "the folder cannot be written to",
  EROFS: "the folder is read-only",
};

/** Returns why no file can be created in a folder; undefined: nothing is known against it. */
export function findFolderProblem(folder: string): string | undefined {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    return PROBLEMS[codeOf(error) ?? ""] ?? messageOf(error);
  }
}

/** Returns what to do when a file cannot be read because its permissions do not allow it; undefined: that is not so. */
export function permissionRemedy(problem: string): string | undefined {
  if (!/EACCES|permission denied|may not read/i.test(problem)) return undefined;
  return "let the user of the server read it: chgrp to a group of that user, and chmod g+r";
}
