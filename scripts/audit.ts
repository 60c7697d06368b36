// Compares the packages of bun.lock with published advisories: `bun run audit`. Ends with 1 when one is affected.
//
// `bun audit` asks the registry. Where that is not possible, the list in scripts/advisories.json is used, which has every
// package that the executable contains, when its advisories were looked up, and where. To renew it, look for advisories
// of the packages that `bun run sbom` names, those without any included, and change their dates.

import { join } from "node:path";

import stored from "./advisories.json" with { type: "json" };
import { type LockFile, productionPackages, readLockFile } from "./lock-file.ts";

/** An advisory of a package. `affected` is a range of versions. */
export interface Advisory {
  readonly id: string;
  readonly affected: string;
  readonly title: string;
}

/** What is known of one package. */
export interface Checked {
  /** The day on which its advisories were looked up, such as 2026-11-26. */
  readonly checked: string;
  /** Where that was. */
  readonly source: string;
  /** Empty: there is none. */
  readonly advisories: readonly Advisory[];
}

/** Packages by name. */
export type Checklist = Readonly<Record<string, Checked>>;

/** Returns a line for each package of the lock file that an advisory affects. */
export function affectedPackages(lock: LockFile, list: Checklist = stored.packages): string[] {
  return [...lock.packages.values()].flatMap(({ name, version }) =>
    (Object.hasOwn(list, name) ? (list[name]?.advisories ?? []) : [])
      .filter((one) => Bun.semver.satisfies(version, one.affected))
      .map(({ id, affected, title }) => `${name} ${version}: ${id} (${affected}): ${title}`),
  );
}

/** Returns the names of packages that the executable contains and whose advisories nobody has looked up. */
export function uncheckedPackages(lock: LockFile, list: Checklist = stored.packages): string[] {
  return [...new Set(productionPackages(lock).map(({ name }) => name))].filter((name) => !Object.hasOwn(list, name));
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
    const lock = await readLockFile();
    const lines = [
      ...affectedPackages(lock),
      ...uncheckedPackages(lock).map((name) => `${name}: its advisories are not in scripts/advisories.json`),
    ];
    console.log(lines.length === 0 ? "no package of the executable is affected" : lines.join("\n"));
    const dates = Object.values(stored.packages).map(({ checked }) => checked);
    const [first, last] = [dates.reduce((a, b) => (a < b ? a : b)), dates.reduce((a, b) => (a > b ? a : b))];
    const when = first === last ? `on ${first}` : `from ${first} to ${last}`;
    console.log(
      `The registry has no audit. The list in scripts/advisories.json has ${dates.length} packages, looked up ${when}; ` +
        "tools for development are not in it.",
    );
    if (lines.length > 0) process.exitCode = 1;
  } else {
    console.log(answer.report);
    if (!answer.passed) process.exitCode = 1;
  }
}
