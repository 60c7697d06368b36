import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";

import { productionPackages, readLockFile } from "../../scripts/lock-file.ts";
import { root } from "../support/documents.ts";

const page = await Bun.file(join(root, "SECURITY.md")).text();

test("every file and folder that the security page names exists", () => {
  const named = [...page.matchAll(/`((?:src|tests|native|scripts|deploy)\/[\w./-]*)`/g)].map(([, path = ""]) => path);
  expect(named.length).toBeGreaterThan(50);
  expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([]);
});

test("the security page names a test for each defence", () => {
  const section = page.slice(page.indexOf("## Defences"), page.indexOf("## What is not defended"));
  const rows = section.split("\n").filter((line) => /^\| (?!Threat|-)/.test(line));
  expect(rows.length).toBeGreaterThan(25);
  expect(rows.filter((row) => !/`tests\/[^|]*\|$/.test(row))).toEqual([]);
});

test("the security page has the number of packages in the executable", async () => {
  expect(page).toContain(`The executable contains ${productionPackages(await readLockFile()).length} packages`);
});
