import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";

const root = join(import.meta.dir, "..");

/** The layout of docs/architecture.md, and settings that tools require at the root. */
const TOP_LEVEL = new Set([
  ...["package.json", "bun.lock", "bunfig.toml", "tsconfig.json", ".gitignore", ".npmrc", ".oxlintrc.json"],
  ...["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE", "Dockerfile", "compose.yaml"],
  ...[".dockerignore"],
  ...["src", "native", "scripts", "tests", "docs", "deploy", "examples", "clients", ".ci"],
]);

const SOUNDS = new Set([".wav", ".flac", ".raw", ".pcm", ".ogg", ".mp3"]);

/**
 * Paths of the repository's files, relative to the root: what git knows, or without git all but what builds leave
 * behind.
 */
async function repositoryFiles(): Promise<string[]> {
  const git = Bun.spawnSync(["git", "ls-files", "-z"], { cwd: root, stderr: "ignore" });
  if (git.success)
    return git.stdout
      .toString()
      .split("\0")
      .filter((path) => path !== "" && existsSync(join(root, path)));
  const left = /^(?:node_modules|native\/build|coverage|\.git)(?:\/|$)|^streamer$/;
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .filter((path) => !left.test(path));
}

const files = await repositoryFiles();
const texts = new Map(
  await Promise.all(
    files
      .filter((path) => !SOUNDS.has(extname(path)))
      .map(async (path): Promise<[string, string]> => [path, await Bun.file(join(root, path)).text()]),
  ),
);

/** Paths of text files below `folder` that match. */
function matching(pattern: RegExp, folder = ""): string[] {
  return [...texts].filter(([path, text]) => path.startsWith(folder) && pattern.test(text)).map(([path]) => path);
}

test("every package is pinned to one exact version", async () => {
  const manifest: Record<string, Record<string, string>> = await Bun.file(join(root, "package.json")).json();
  const versions = Object.entries({ ...manifest["dependencies"], ...manifest["devDependencies"] });
  expect(versions.length).toBeGreaterThan(0);
  expect(versions.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
});

test("the tests run under the pinned Bun", async () => {
  const manifest: { devDependencies: { bun: string } } = await Bun.file(join(root, "package.json")).json();
  expect(Bun.version).toBe(manifest.devDependencies.bun);
});

test("the lock file names no place to download from", () => {
  expect(texts.get("bun.lock")).toContain("lockfileVersion");
  expect(texts.get("bun.lock")).not.toMatch(/https?:/);
});

test("the licence is Apache-2.0, in full", async () => {
  expect(texts.get("LICENSE")).toContain("Apache License");
  expect(texts.get("LICENSE")).toContain("END OF TERMS AND CONDITIONS");
  const manifest: { license: string } = await Bun.file(join(root, "package.json")).json();
  expect(manifest.license).toBe("Apache-2.0");
});

test("every recorded sound has its licence beside it", () => {
  const sounds = files.filter((path) => SOUNDS.has(extname(path)));
  expect(sounds.length).toBeGreaterThan(0);
  const bare = sounds.filter((sound) => {
    const beside = files.filter((path) => dirname(path) === dirname(sound) && /licen[cs]e/i.test(basename(path)));
    return !beside.some((path) => texts.get(path)?.includes(basename(sound)));
  });
  expect(bare).toEqual([]);
});

test("the top level holds what the architecture page lists", () => {
  const names = new Set(files.map((path) => path.split("/")[0] ?? ""));
  expect([...names].filter((name) => !TOP_LEVEL.has(name))).toEqual([]);
});

test("only src/native/library.ts opens the native library; library-copies.ts and system.ts open the system's", () => {
  const files = ["library-copies.ts", "library.ts", "system.ts"].map((name) => `src/native/${name}`);
  expect(matching(/["']bun:ffi["']/, "src/")).toEqual(files);
});

test("only src/main.ts ends the process", () => {
  // On a worker, where these run, the same call ends the worker and nothing else.
  const workers = ["serve-model.ts", "child/model-process.ts"].map((name) => `src/worker/${name}`);
  workers.push("src/model/built-in/simulated.ts");
  const enders = matching(/\bprocess\s*\.\s*(?:exit|abort|reallyExit)\s*\(/, "src/");
  expect(enders.filter((path) => !workers.includes(path))).toEqual(["src/main.ts"]);
});

test("no file names a package registry or a place on somebody's machine", () => {
  expect(matching(/\bregistry\.[a-z0-9-]+\.(?:org|com|net|io|dev)\b/)).toEqual([]);
  expect(matching(/(?<![\w.)}])\/(?:root|work|home\/\w+|Users\/\w+)\//)).toEqual([]);
});

test("folders may have spaces in their names: no path is taken from a URL undecoded, or given to a shell unquoted", () => {
  expect(matching(/import\.meta\.url\)\s*\.pathname/)).toEqual([]);
  expect(matching(/`\$\{process\.execPath\} /)).toEqual([]);
});

test("no source switches a check off", () => {
  const pattern = new RegExp(
    ["@ts-(?:ignore|expect-error|nocheck)", "(?:ox|es)lint-disable", "\\bas any\\b"].join("|"),
  );
  expect([...matching(pattern, "src/"), ...matching(pattern, "scripts/")]).toEqual([]);
});
