// Compares the packages of bun.lock with published advisories: `bun run audit`. Ends with 1 when one is affected.
//
// `bun audit` asks the registry. Where that is not possible, the list in scripts/advisories.json is used; the output has
// its date. To renew the list, look for advisories of the packages that `bun run sbom` names, and change the date.

import { join } from "node:path";

import stored from "./advisories.json" with { type: "json" };
import { type LockFile, readLockFile } from "./lock-file.ts";

/** An advisory of a package. `affected` is a range of versions. */
export interface Advisory {
  readonly id: string;
  readonly package: string;
  readonly affected: string;
  readonly title: string;
}

/** Returns a line for each package of the lock file that an advisory affects. */
export function affectedPackages(lock: LockFile, advisories: readonly Advisory[] = stored.advisories): string[] {
  return [...lock.packages.values()].flatMap(({ name, version }) =>
    advisories
      .filter((one) => one.package === name && Bun.semver.satisfies(version, one.affected))
      .map(({ id, affected, title }) => `${name} ${version}: ${id} (${affected}): ${title}`),
  );
}

/** Asks the registry. Returns undefined when it does not answer, or has no advisories. */
async function askRegistry(): Promise<{ passed: boolean; report: string } | undefined> {
  const child = Bun.spawn([process.execPath, "audit"], {
    cwd: join(import.meta.dir, ".."),
    stdout: "pipe",
    stderr: "pipe",
    timeout: 60_000,
  });
  const [code, out, err] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
  const report = `${out}${err}`.trim();
  if (code === 0) return { passed: true, report };
  return /^error:/m.test(report) || report === "" ? undefined : { passed: false, report };
}

if (import.meta.main) {
  const answer = await askRegistry();
  if (answer === undefined) {
    const lines = affectedPackages(await readLockFile());
    console.log(lines.length === 0 ? "no package is affected" : lines.join("\n"));
    console.log(`The registry has no audit; compared with the list of ${stored.checked} in scripts/advisories.json.`);
    if (lines.length > 0) process.exitCode = 1;
  } else {
    console.log(answer.report);
    if (!answer.passed) process.exitCode = 1;
  }
}
