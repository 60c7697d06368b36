// What must be so before a release is built.

import { join } from "node:path";

import { changelogSection } from "./changelog.ts";
import { run } from "./command.ts";

/** A commit that may be released. */
export interface Source {
  readonly version: string;
  readonly commit: string;
  /** The time of the commit, or SOURCE_DATE_EPOCH: seconds since 1970. */
  readonly time: number;
  /** The section of CHANGELOG.md. */
  readonly notes: string;
  readonly tagged: boolean;
}

/** Where the version stands besides package.json: a file, and a pattern whose group is the version. */
const VERSIONS: Readonly<Record<string, RegExp>> = {
  Dockerfile: /^ARG VERSION=(\S+)$/m,
  "docs/asyncapi.json": /"version": "([^"]+)"/,
  "docs/openapi.json": /"version": "([^"]+)"/,
  "clients/javascript/package.json": /"version": "([^"]+)"/,
  "clients/python/pyproject.toml": /^version = "([^"]+)"$/m,
};

/**
 * Examines the repository in `folder`. Throws a sentence that says what is wrong and what to do.
 * @param wanted the version of the command line, if there is one
 */
export async function checkSource(
  folder: string,
  wanted: string | undefined,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<Source> {
  const git = async (...args: string[]): Promise<string> => (await run(["git", ...args], { cwd: folder })).trim();
  const { version } = (await Bun.file(join(folder, "package.json")).json()) as { version: string };
  if (wanted !== undefined && wanted !== version) {
    throw new Error(`--version: found ${wanted}; package.json has ${version}. Change and commit one of them.`);
  }
  const changed = await git("status", "--porcelain");
  if (changed !== "") {
    throw new Error(`The tree has changes that are not committed; a release is made of a commit:\n${changed}`);
  }
  await checkVersions(folder, version);
  const notes = changelogSection(await Bun.file(join(folder, "CHANGELOG.md")).text(), version);
  const commit = await git("rev-parse", "HEAD");
  const tagged = await checkTags(version, commit, git);
  const time = sourceTime(environment["SOURCE_DATE_EPOCH"]) ?? Number(await git("log", "-1", "--format=%ct"));
  return { version, commit, time, notes, tagged };
}

/** Throws when a file has another version than package.json. */
export async function checkVersions(folder: string, version: string): Promise<void> {
  for (const [path, pattern] of Object.entries(VERSIONS)) {
    const file = Bun.file(join(folder, path));
    if (!(await file.exists())) continue;
    const found = pattern.exec(await file.text())?.[1];
    if (found !== version) {
      throw new Error(
        `${path}: found version ${found ?? "none"}; package.json has ${version}. docs/releasing.md says how to change all.`,
      );
    }
  }
}

/** Returns whether the commit has the tag of the version. Throws when tags say something else. */
async function checkTags(
  version: string,
  commit: string,
  git: (...args: string[]) => Promise<string>,
): Promise<boolean> {
  const tag = `v${version}`;
  const here = (await git("tag", "--points-at", "HEAD")).split("\n").filter((name) => /^v\d/.test(name));
  if (here.includes(tag)) return true;
  if (here.length > 0) {
    throw new Error(`The commit has the tag ${here.join(", ")}; package.json has ${version}, whose tag is ${tag}.`);
  }
  const elsewhere = await git("tag", "--list", tag);
  if (elsewhere === "") return false;
  const other = await git("rev-list", "-n", "1", tag);
  throw new Error(
    `The tag ${tag} is at ${other.slice(0, 12)}, this commit is ${commit.slice(0, 12)}: check the tag out, or raise the version.`,
  );
}

function sourceTime(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,10}$/.test(text)) throw new Error(`SOURCE_DATE_EPOCH: found "${text}"; allowed: seconds since 1970.`);
  return Number(text);
}
