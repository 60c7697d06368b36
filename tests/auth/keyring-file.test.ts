import { afterAll, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { readKeyring } from "../../src/auth/keyring-file.ts";

const folder = mkdtempSync(join(tmpdir(), "streamer-keys-"));
afterAll(() => rmSync(folder, { recursive: true }));
const path = join(folder, "keys");
writeFileSync(path, `one ${Buffer.alloc(32, 7).toString("base64")}\n`);

test("a file of keys is read, unless there is none", () => {
  chmodSync(path, 0o600);
  expect(readKeyring(path)?.current.id).toBe("one");
  expect(readKeyring("none")).toBeUndefined();
});

test("a file that every user may write is refused, since every user could add a key", () => {
  chmodSync(path, 0o602);
  expect(() => readKeyring(path)).toThrow(
    `auth.secret_file: ${path}: found mode 602, so that every user could add a key; allowed: chmod o-w`,
  );
});
