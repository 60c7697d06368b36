import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import manifest from "../../../package.json" with { type: "json" };
import { changelogSection } from "../../../scripts/release/changelog.ts";
import { checkSource, checkVersions } from "../../../scripts/release/checks.ts";
import { root, run } from "../../../scripts/release/command.ts";

const folders: string[] = [];
afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true })));

async function git(folder: string, ...args: string[]): Promise<void> {
  const identity = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"];
  await run(["git", ...identity, ...args], { cwd: folder });
}

/** A repository of version 1.2.3 with one commit. */
async function repository(changelog = "# Changelog\n\n## 1.2.3\n\n- It works.\n"): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "release-checks-"));
  folders.push(folder);
  writeFileSync(join(folder, "package.json"), '{ "version": "1.2.3" }');
  writeFileSync(join(folder, "CHANGELOG.md"), changelog);
  writeFileSync(join(folder, "Dockerfile"), "FROM scratch\nARG VERSION=1.2.3\n");
  await git(folder, "init", "-q");
  await git(folder, "add", "-A");
  await git(folder, "commit", "-qm", "all");
  return folder;
}

const error = async (promise: Promise<unknown>): Promise<string> =>
  await promise.then(
    () => "none",
    (thrown: unknown) => (thrown as Error).message,
  );

describe("a release", () => {
  test("is made of a commit, with the time of the commit, the section of the changelog, and its tag", async () => {
    const folder = await repository();
    const source = await checkSource(folder, "1.2.3", {});
    expect(source).toMatchObject({ version: "1.2.3", notes: "- It works.\n", tagged: false });
    expect(Math.abs(source.time - Date.now() / 1000)).toBeLessThan(86_400);
    await git(folder, "tag", "v1.2.3");
    expect(await checkSource(folder, undefined, { SOURCE_DATE_EPOCH: "1700000000" })).toMatchObject({
      tagged: true,
      time: 1_700_000_000,
    });
    expect(await error(checkSource(folder, undefined, { SOURCE_DATE_EPOCH: "now" }))).toStartWith(
      'SOURCE_DATE_EPOCH: found "now"',
    );
  });

  test("is refused with uncommitted changes, which are listed", async () => {
    const folder = await repository();
    writeFileSync(join(folder, "new.txt"), "");
    expect(await error(checkSource(folder, undefined))).toMatch(/changes that are not committed[^]*\?\? new\.txt/);
  });

  test("is refused for another version than that of package.json, on the command line and in any file", async () => {
    const folder = await repository();
    expect(await error(checkSource(folder, "1.2.4"))).toStartWith("--version: found 1.2.4; package.json has 1.2.3.");
    writeFileSync(join(folder, "Dockerfile"), "ARG VERSION=1.2.2\n");
    await git(folder, "commit", "-qam", "older");
    expect(await error(checkSource(folder, undefined))).toStartWith(
      "Dockerfile: found version 1.2.2; package.json has 1.2.3.",
    );
    await checkVersions(root, manifest.version);
  });

  test("is refused when tags say something else", async () => {
    const folder = await repository();
    await git(folder, "tag", "v1.2.2");
    expect(await error(checkSource(folder, undefined))).toStartWith(
      "The commit has the tag v1.2.2; package.json has 1.2.3",
    );
    await git(folder, "tag", "-d", "v1.2.2");
    await git(folder, "tag", "v1.2.3");
    await git(folder, "commit", "--allow-empty", "-qm", "later");
    expect(await error(checkSource(folder, undefined))).toMatch(
      /^The tag v1\.2\.3 is at [0-9a-f]{12}, this commit is /,
    );
  });

  test("is refused without a section of the changelog, or with an empty one", async () => {
    expect(await error(checkSource(await repository("## 1.2.2\n\n- Older.\n"), undefined))).toBe(
      'CHANGELOG.md: found no section "## 1.2.3"; it has 1.2.2.',
    );
    expect(await error(checkSource(await repository("## 1.2.3\n\n## 1.2.2\n\n- Older.\n"), undefined))).toBe(
      'CHANGELOG.md: the section "## 1.2.3" is empty.',
    );
  });
});

test("the section of a version ends at the next one, whatever stands behind its number", () => {
  const text =
    "# Changelog\n\n## [2.0.0] - 2026-11-27\n\n- a\n\n### Fixed\n\n- b\n\n## 1.9.10\n\n- c\n## 1.9.1 (2026)\n- d\n";
  expect(changelogSection(text, "2.0.0")).toBe("- a\n\n### Fixed\n\n- b\n");
  expect(changelogSection(text, "1.9.1")).toBe("- d\n");
  expect(changelogSection(text, "1.9.10")).toBe("- c\n");
  expect(() => changelogSection(text, "1.9")).toThrow(
    'no section "## 1.9"; it has [2.0.0] - 2026-11-27, 1.9.10, 1.9.1 (2026).',
  );
});
