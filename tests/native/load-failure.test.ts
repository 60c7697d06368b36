import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { describeUnpackFailure } from "../../src/native/load-failure.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "streamer-unpack-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const REASON = 'Failed to open library "/$bunfs/x.so": cannot open shared object file';

describe("the sentence about a C library that cannot be unpacked", () => {
  test("has the folder, the variable that named it, the problem and the variable that moves it", () => {
    const missing = join(folder, "missing");
    expect(describeUnpackFailure(REASON, { TMPDIR: missing })).toBe(
      `the C library cannot be loaded from the temporary folder ${missing} (TMPDIR): it does not exist; ` +
        "set TMPDIR to a folder that can be written to and allows execution",
    );
    const file = join(folder, "file");
    writeFileSync(file, "");
    expect(describeUnpackFailure(REASON, { TMPDIR: file })).toContain(": it is not a folder;");
    expect(describeUnpackFailure(REASON, { TMPDIR: "." })).toContain("folder . (TMPDIR): it is not an absolute path;");
  });

  test("names the variable that has precedence, and /tmp without one", () => {
    const missing = join(folder, "missing");
    for (const [env, variable] of [
      [{ BUN_TMPDIR: missing, TMPDIR: folder }, "BUN_TMPDIR"],
      [{ BUN_TMPDIR: "", TMPDIR: missing, TMP: folder }, "TMPDIR"],
      [{ TMP: missing, TEMP: folder }, "TMP"],
      [{ TEMP: missing }, "TEMP"],
    ] as const) {
      const sentence = describeUnpackFailure(REASON, env);
      expect(sentence).toContain(`${missing} (${variable}): it does not exist; set ${variable} to`);
    }
    expect(describeUnpackFailure("odd", {})).toStartWith(
      "the C library cannot be loaded from the temporary folder /tmp: odd; set TMPDIR to",
    );
  });

  test("recognises noexec and a damaged file by the loader's message, which is passed on otherwise", () => {
    const loader = (text: string) => `Failed to open library "${folder}/.bun-0-1f.so": ${folder}/.bun-0-1f.so: ${text}`;
    const say = (text: string) => describeUnpackFailure(loader(text), { TMPDIR: folder });
    expect(say("failed to map segment from shared object")).toContain(": it is mounted with noexec;");
    expect(say("invalid ELF header")).toContain(`: ${folder}/.bun-0-1f.so is damaged, delete it;`);
    expect(describeUnpackFailure(REASON, { TMPDIR: folder })).toContain(`(TMPDIR): ${REASON};`);
  });
});
