import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import manifest from "../../../package.json" with { type: "json" };
import { buildExecutable } from "../../../scripts/build.ts";
import { productionPackages, readLockFile } from "../../../scripts/lock-file.ts";
import { writeArchive } from "../../../scripts/release/archive.ts";
import { run } from "../../../scripts/release/command.ts";
import {
  fillArchive,
  fillPlatformPackage,
  fillWrapperPackage,
  type SharedTexts,
  sharedTexts,
} from "../../../scripts/release/contents.ts";
import { thirdPartyNotices } from "../../../scripts/release/notices.ts";
import { type Built, TARGETS } from "../../../scripts/release/targets.ts";
import { BUILD_MS } from "../../support/executable.ts";

const scratch = mkdtempSync(join(tmpdir(), "release-contents-"));
afterAll(() => rmSync(scratch, { recursive: true }));

describe("an archive", () => {
  const entry = (folder: string, path: string, mode: number, seconds: number): void => {
    const file = join(folder, path);
    mkdirSync(join(file, ".."), { recursive: true });
    writeFileSync(file, path);
    chmodSync(file, mode);
    utimesSync(file, seconds, seconds);
  };

  test("of the same content has the same bytes, whatever the times, rights and order of its files were", async () => {
    const paths = ["bin/a", "share/z", "share/b/c"];
    for (const [copy, order] of [
      ["one", paths],
      ["two", paths.toReversed()],
    ] as const) {
      const folder = join(scratch, copy, "program-1");
      for (const path of order) entry(folder, path, path === "bin/a" ? 0o700 : 0o640, copy === "one" ? 1000 : 2000);
      await writeArchive(folder, join(scratch, `${copy}.tar.gz`), 1_700_000_000);
    }
    const [one, two] = ["one", "two"].map((copy) => readFileSync(join(scratch, `${copy}.tar.gz`)));
    expect(one?.equals(two!)).toBeTrue();
    const listed = await run(["tar", "--utc", "-tvzf", join(scratch, "one.tar.gz")]);
    expect(
      listed
        .trim()
        .split("\n")
        .map((line) => line.replace(/ +/g, " ")),
    ).toEqual([
      "drwxr-xr-x 0/0 0 2023-11-14 22:13 program-1/",
      "drwxr-xr-x 0/0 0 2023-11-14 22:13 program-1/bin/",
      "-rwxr-xr-x 0/0 5 2023-11-14 22:13 program-1/bin/a",
      "drwxr-xr-x 0/0 0 2023-11-14 22:13 program-1/share/",
      "drwxr-xr-x 0/0 0 2023-11-14 22:13 program-1/share/b/",
      "-rw-r--r-- 0/0 9 2023-11-14 22:13 program-1/share/b/c",
      "-rw-r--r-- 0/0 7 2023-11-14 22:13 program-1/share/z",
    ]);
    expect((await readdir(scratch)).filter((name) => name.endsWith(".tar"))).toEqual([]);
  });
});

test("the notices have the licence of Bun, the compiler, the recording, and every package in the executable", async () => {
  const notices = await thirdPartyNotices("The licence of the compiler");
  for (const title of [`Bun ${Bun.version}`, "The licence of the compiler", "LibriVox", "JavaScriptCore"]) {
    expect(notices).toContain(title);
  }
  const parts = notices.split(/^={100}\n/m);
  for (const { name, version } of productionPackages(await readLockFile())) {
    const index = parts.findIndex((part) => part.startsWith(`${name} ${version} (`));
    expect([name, (parts[index + 1] ?? "").length > 500]).toEqual([name, true]);
  }
});

describe("what users get", () => {
  let shared: SharedTexts;
  const built = TARGETS.map((target): Built => {
    const executable = join(scratch, `executable-${target.name}`);
    writeFileSync(executable, `not a program, for ${target.name}`);
    return { target, executable, library: "unused" };
  });

  beforeAll(async () => {
    shared = await sharedTexts(await buildExecutable(), "the notices");
  }, BUILD_MS);

  test("an archive has the executable, and everything that its README lists, below a prefix", async () => {
    const folder = join(scratch, "archive");
    await fillArchive(folder, built[1]!, shared, "{}");
    const readme = readFileSync(join(folder, "share/doc/streamer/README.md"), "utf8");
    const listed = [...readme.matchAll(/^\| `([^`]+)`/gm)].map(([, path = ""]) => path);
    expect(listed.length).toBeGreaterThan(8);
    const sizes = listed.map((path) => [path, statSync(join(folder, path)).size > 0]);
    expect(sizes).toEqual(listed.map((path) => [path, true]));
    expect(readFileSync(join(folder, "bin/streamer"), "utf8")).toBe("not a program, for linux-arm64");
    expect(statSync(join(folder, "bin/streamer")).mode & 0o777).toBe(0o755);
    const manual = Bun.gunzipSync(readFileSync(join(folder, "share/man/man1/streamer.1.gz")));
    expect(new TextDecoder().decode(manual)).toContain(manifest.version);
    expect(JSON.parse(readFileSync(join(folder, "share/doc/streamer/streamer.schema.json"), "utf8"))).toHaveProperty(
      "$schema",
    );
  });

  test("the example of a configuration is accepted", async () => {
    const config = join(import.meta.dir, "../../../deploy/release/streamer.yaml");
    const printed = await run([await buildExecutable(), "serve", "--config", config, "--print-config"], { env: {} });
    expect(printed).toMatch(/^limits\.max_sessions +200 /m);
  });

  test("npm chooses the package of a machine by its system, processor and C library; the versions are in step", async () => {
    const wrapper = join(scratch, "npm");
    await fillWrapperPackage(wrapper, TARGETS, shared);
    const description = JSON.parse(readFileSync(join(wrapper, "package.json"), "utf8")) as Record<string, unknown>;
    expect(description).toMatchObject({
      name: "streamer",
      version: manifest.version,
      bin: { streamer: "bin/streamer.bin" },
    });
    expect(description).not.toHaveProperty("scripts");
    expect(description["optionalDependencies"]).toEqual({
      "streamer-linux-x64": manifest.version,
      "streamer-linux-arm64": manifest.version,
    });
    for (const one of built) {
      const folder = join(scratch, `npm-${one.target.name}`);
      await fillPlatformPackage(folder, one, shared);
      const platform = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Record<string, unknown>;
      const { cpu } = one.target;
      expect(platform).toMatchObject({
        name: `streamer-${one.target.name}`,
        version: manifest.version,
        os: ["linux"],
        cpu: [cpu],
        libc: ["glibc"],
      });
      const packed = JSON.parse(await run(["npm", "pack", "--dry-run", "--json"], { cwd: folder })) as [
        { files: { path: string; mode: number }[] },
      ];
      const files = packed[0].files.map(({ path, mode }) => `${path} ${(mode & 0o111) !== 0}`).sort();
      expect(files).toEqual([
        "LICENSE false",
        "README.md false",
        "THIRD-PARTY-NOTICES false",
        "bin/streamer true",
        "package.json false",
      ]);
    }
  });
});
