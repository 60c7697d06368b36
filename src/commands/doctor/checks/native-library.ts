import { realpathSync, statfsSync } from "node:fs";

import { mountOptions, readMounts } from "../../../lib/mounts.ts";
import { messageOf } from "../../../lib/thrown.ts";
import { libraryPath, native } from "../../../native/library.ts";
import { temporaryFolder } from "../../../native/load-failure.ts";
import { formatBytes } from "../bytes.ts";
import type { Check } from "../check.ts";
import type { ReportFinding } from "../finding.ts";
import { findFolderProblem } from "../permissions.ts";

/** The library is about 100 kB; what models write is more. */
const LEAST_FREE_BYTES = 16 * 1024 * 1024;
const REMEDY = "set TMPDIR to a folder that can be written to";

/** The C library, and the temporary folder that it is loaded from where it cannot be loaded from memory. */
export const nativeLibrary: Check = {
  name: "library",
  limitMs: 10_000,
  run: ({ machine }, report) => {
    let isNeeded = true;
    try {
      native();
      const path = libraryPath() ?? "";
      const isMemory = path.startsWith("/proc/self/fd/");
      isNeeded = Bun.isStandaloneExecutable && !isMemory;
      const from = isMemory ? "memory" : isNeeded ? "the temporary folder: programs may not run from memory" : path;
      report("ok", "C library", `is loaded from ${from}`);
    } catch (error) {
      const [found = "", remedy] = messageOf(error).split("; set ");
      report("failure", "C library", found, remedy === undefined ? undefined : `set ${remedy}`);
    }
    examineTemporaryFolder(machine.env, isNeeded, report);
  },
};

/** @param isNeeded the C library is loaded from it */
export function examineTemporaryFolder(
  env: Readonly<Record<string, string | undefined>>,
  isNeeded: boolean,
  report: ReportFinding,
  mounts = readMounts(),
): void {
  const bad = isNeeded ? "warning" : "note";
  const unused = isNeeded ? "" : "; the server itself needs none, models may";
  let folder: string;
  try {
    folder = temporaryFolder(env);
  } catch (error) {
    return report(bad, "temporary files", `${messageOf(error)}${unused}`, REMEDY);
  }
  const problem = findFolderProblem(folder);
  if (problem !== undefined) return report(bad, "temporary files", `${folder}: ${problem}${unused}`, REMEDY);
  const path = realpathSync(folder);
  const { bavail, bsize } = statfsSync(path);
  const free = bavail * bsize;
  const found = `${folder}: ${formatBytes(free)} free`;
  if (mountOptions(path, mounts).includes("noexec")) {
    return report(bad, "temporary files", `${found}, mounted with noexec${unused}`, `${REMEDY} and allows execution`);
  }
  if (free < LEAST_FREE_BYTES)
    return report(bad, "temporary files", `${found}${unused}`, `free space there, or ${REMEDY}`);
  report("ok", "temporary files", `${found}, can be written to`);
}
