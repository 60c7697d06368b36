import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { compiler, isNewer } from "../../scripts/native.ts";

describe("building the C library", () => {
  test("a missing C compiler gets one sentence that names what to install", () => {
    expect(() => compiler({ PATH: "" })).toThrow(/^No C compiler was found .*apt-get install gcc libc6-dev`\.$/);
  });

  test("the compiler that CC names is taken with its arguments, and missed by its name", () => {
    const shell = { PATH: "/usr/bin:/bin" };
    expect(compiler({ ...shell, CC: " sh  -m64 " })).toEqual(["sh", "-m64"]);
    expect(() => compiler({ ...shell, CC: "no-such-compiler -x" })).toThrow("named by CC, no-such-compiler -x,");
    expect(compiler({ ...process.env, CC: "" })).toHaveLength(1);
  });

  test("an output is current only when it is newer than every source", () => {
    const folder = mkdtempSync(join(tmpdir(), "native-"));
    const [output, one, two] = ["output", "one.c", "two.c"].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    try {
      for (const path of [one, two]) writeFileSync(path, "");
      expect(isNewer(output, [one, two])).toBe(false);
      writeFileSync(output, "");
      utimesSync(output, 2000, 2000);
      utimesSync(one, 1000, 1000);
      utimesSync(two, 1999, 1999);
      expect(isNewer(output, [one, two])).toBe(true);
      utimesSync(two, 2000, 2000);
      expect(isNewer(output, [one, two])).toBe(false);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
