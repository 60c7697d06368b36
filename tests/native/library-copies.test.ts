import { dlopen } from "bun:ffi";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { nativeLibrary } from "../../scripts/native.ts";
import { copyToFolder, copyToMemory } from "../../src/native/library-copies.ts";
import { testWith } from "../support/requirements.ts";

const library = readFileSync(nativeLibrary);
const isRoot = process.getuid?.() === 0 || undefined;
const SOMEBODY = 65_534;

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "streamer-copies-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Opens a library and calls one function of it. */
function version(path: string): number {
  return dlopen(path, { sa_abi_version: { args: [], returns: "u32" } }).symbols.sa_abi_version();
}

describe("a copy of the C library in memory", () => {
  test("can be opened, and has the same bytes", () => {
    using copy = copyToMemory(library);
    expect(readFileSync(copy.path).equals(library)).toBeTrue();
    expect(version(copy.path)).toBe(version(nativeLibrary));
  });

  test("is sealed: it can be neither written to nor truncated, by whoever opens it", () => {
    using copy = copyToMemory(library);
    expect(() => writeFileSync(copy.path, "x", { flag: "r+" })).toThrow("EPERM");
    expect(() => openSync(copy.path, "w")).toThrow("EPERM");
    expect(readFileSync(copy.path).equals(library)).toBeTrue();
  });

  test("has no name in a file system, and is not passed to child processes", () => {
    using copy = copyToMemory(library);
    const child = Bun.spawnSync(["ls", "-l", "/proc/self/fd"]);
    expect(child.stdout.toString()).not.toContain("streamer-library");
    expect(
      Bun.spawnSync(["readlink", `/proc/${process.pid}/fd/${copy.path.split("/").at(-1)}`]).stdout.toString(),
    ).toBe("/memfd:streamer-library (deleted)\n");
  });

  test("closes its descriptor when it is disposed", () => {
    const copy = copyToMemory(library);
    copy[Symbol.dispose]();
    expect(existsSync(copy.path) && readFileSync(copy.path).equals(library)).toBeFalse();
  });
});

describe("a copy of the C library in a folder", () => {
  /** A new folder with a mode and an owner, for copies. */
  function parent(name: string, mode: number, owner?: number): string {
    const path = join(folder, name);
    mkdirSync(path);
    chmodSync(path, mode);
    if (owner !== undefined) chownSync(path, owner, owner);
    return path;
  }

  test("is a file of mode 0600 in a folder of mode 0700, both of this user, and is removed when disposed", () => {
    const place = parent("private", 0o700);
    {
      using copy = copyToFolder(library, place);
      const [made, file] = [lstatSync(dirname(copy.path)), lstatSync(copy.path)];
      expect([made.isDirectory(), made.mode & 0o777, made.uid]).toEqual([true, 0o700, process.getuid!()]);
      expect([file.isFile(), file.mode & 0o777, file.uid]).toEqual([true, 0o600, process.getuid!()]);
      expect(readFileSync(copy.path).equals(library)).toBeTrue();
      expect(version(copy.path)).toBe(version(nativeLibrary));
    }
    expect(readdirSync(place)).toEqual([]);
  });

  test("has another name each time, so that nobody can prepare files or links for it", () => {
    const place = parent("named", 0o1777);
    const names = Array.from({ length: 50 }, () => {
      using copy = copyToFolder(library, place);
      return dirname(copy.path);
    });
    expect(new Set(names).size).toBe(50);
    expect(names.every((name) => /\/streamer-library-\w{6}$/.test(name))).toBeTrue();
  });

  test("is opened by its path also after it was removed, as threads do", () => {
    const copy = copyToFolder(library, parent("removed", 0o700));
    version(copy.path);
    copy[Symbol.dispose]();
    expect(existsSync(copy.path)).toBeFalse();
    expect(version(copy.path)).toBe(version(nativeLibrary));
  });

  test("is not made where others may rename files: a folder that others may write to, without the sticky bit", () => {
    expect(() => copyToFolder(library, parent("shared", 0o777))).toThrow("others may rename files in it");
    expect(() => copyToFolder(library, parent("group", 0o770))).toThrow("others may rename files in it");
    expect(readdirSync(join(folder, "shared"))).toEqual([]);
    using copy = copyToFolder(library, parent("sticky", 0o1777));
    expect(statSync(copy.path).isFile()).toBeTrue();
  });

  testWith(isRoot)("is not made in a folder of another user", () => {
    expect(() => copyToFolder(library, parent("foreign", 0o755, SOMEBODY))).toThrow("it belongs to another user");
    const link = join(folder, "link");
    symlinkSync(join(folder, "foreign"), link);
    expect(() => copyToFolder(library, link)).toThrow("it belongs to another user");
  });

  test("fails with the error of the system where there is no folder", () => {
    writeFileSync(join(folder, "file"), "");
    expect(() => copyToFolder(library, join(folder, "missing"))).toThrow("ENOENT");
    expect(() => copyToFolder(library, join(folder, "file"))).toThrow();
  });
});
