import { expect, spyOn, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { TokenFile } from "../../../src/model/remote/token-file.ts";

const path = join(tmpdir(), `engine-token-${process.pid}`);

test("a token is read again, and the last one stays in use while its file has none", () => {
  const print = spyOn(console, "error").mockImplementation(() => {});
  let now = 0;
  writeFileSync(path, "first\n");
  const file = new TokenFile(path, () => now);
  const tokens = ["second", "", "two words", "third"].map((text) => {
    writeFileSync(path, text);
    now += 5_000;
    return file.token;
  });
  rmSync(path);
  now += 5_000;
  expect([...tokens, file.token]).toEqual(["second", "second", "second", "third", "third"]);
  const printed = print.mock.calls.map(([message]) => String(message));
  print.mockRestore();
  expect(printed).toHaveLength(2);
  expect(printed[0]).toBe(
    `token_file: found "${path}", which is empty; allowed: a file with a token; the last token stays in use`,
  );
});

test("a token is not read for each call", () => {
  writeFileSync(path, "first");
  const file = new TokenFile(path, () => 0);
  writeFileSync(path, "second");
  expect(file.token).toBe("first");
  rmSync(path);
});

test("a file that is missing at first is an error", () => {
  expect(() => new TokenFile("/no/such/file", () => 0)).toThrow(
    /^token_file: found "\/no\/such\/file", which cannot be read/,
  );
});
