import { describe, expect, test } from "bun:test";

import { describeUnpackFailure, temporaryFolder } from "../../src/native/load-failure.ts";

const MEMORY = "memfd_create is not allowed";

describe("the temporary folder", () => {
  test("is named by the first of the variables that Bun reads, and is /tmp without one", () => {
    expect(temporaryFolder({ BUN_TMPDIR: "/a", TMPDIR: "/b" })).toBe("/a");
    expect(temporaryFolder({ BUN_TMPDIR: "", TMPDIR: "/b", TMP: "/c" })).toBe("/b");
    expect(temporaryFolder({ TMP: "/c", TEMP: "/d" })).toBe("/c");
    expect(temporaryFolder({ TEMP: "/d" })).toBe("/d");
    expect(temporaryFolder({})).toBe("/tmp");
  });

  test("is refused when it is not an absolute path", () => {
    expect(() => temporaryFolder({ TMPDIR: "." })).toThrow("it is not an absolute path");
  });
});

describe("the sentence about a C library that cannot be unpacked", () => {
  const problemOf = (error: unknown): string => describeUnpackFailure(MEMORY, error, { TMPDIR: "/a" });

  test("has both places, the variable that named the folder, the problem and the variable that moves it", () => {
    expect(problemOf(Object.assign(new Error("no"), { code: "ENOENT" }))).toBe(
      "the C library can be loaded neither from memory (memfd_create is not allowed) nor from the temporary folder " +
        "/a (TMPDIR): it does not exist; set TMPDIR to a folder that can be written to and allows execution",
    );
    expect(describeUnpackFailure(MEMORY, new Error("odd"), {})).toContain("folder /tmp: odd; set TMPDIR to");
    expect(describeUnpackFailure(MEMORY, new Error("odd"), { TMP: "/c" })).toContain("/c (TMP): odd; set TMP to");
  });

  test("has a description for errors of the system, and passes others on", () => {
    for (const [code, description] of [
      ["ENOTDIR", "it is not a folder"],
      ["EACCES", "it cannot be written to"],
      ["EROFS", "it is read-only"],
      ["ENOSPC", "it is full"],
    ] as const) {
      expect(problemOf(Object.assign(new Error("no"), { code }))).toContain(`(TMPDIR): ${description};`);
    }
    expect(problemOf(new Error("x.so: failed to map segment from shared object"))).toContain("mounted with noexec;");
    expect(problemOf(new Error("x.so: invalid ELF header"))).toContain("(TMPDIR): x.so: invalid ELF header;");
  });
});
