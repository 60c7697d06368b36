import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { ownFiles } from "../../src/model/own-files.ts";

let folder = "";

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "streamer-own-files-")));
});

afterEach(() => rmSync(folder, { recursive: true }));

/** Writes files, and returns those that belong to the first one, without the folder. */
function filesOf(files: Readonly<Record<string, string>>): string[] {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  const [first = ""] = Object.keys(files);
  return [...ownFiles(join(folder, first))].map((path) => path.slice(folder.length + 1)).sort();
}

test("the files of a TypeScript model are those that it imports, and that these import, but no packages", () => {
  expect(
    filesOf({
      "model.ts": 'import "./a.ts"; import data from "./d.json"; import "tiny"; export default data;',
      "a.ts": 'export * from "./deep/b.ts"; import type { X } from "./types.ts"; const c = import("./c.ts");',
      "deep/b.ts": 'import "../model.ts";',
      "c.ts": "",
      "d.json": "{}",
      "types.ts": "",
      "unused.ts": "",
      "node_modules/tiny/index.js": "",
    }),
  ).toEqual(["a.ts", "c.ts", "d.json", "deep/b.ts", "model.ts"]);
});

test("the files of a Python model are modules and packages beside it, and what these import, absolute or relative", () => {
  expect(
    filesOf({
      "model.py":
        "import numpy as np, first\nfrom package.inner import (\n    one,\n    two as three,\n)\n  import late # x\n",
      "first.py": "import os; x = 1\nimport second as s\n",
      "second.py": "",
      "late.py": "",
      "package/__init__.py": "from . import part\n",
      "package/part.py": "from ..first import x\nfrom .inner.two import *\n",
      "package/inner/__init__.py": "",
      "package/inner/one.py": "",
      "package/inner/two.py": "",
      "package/inner/unused.py": "",
      "unused.py": "",
    }),
  ).toEqual([
    "first.py",
    "late.py",
    "model.py",
    "package/__init__.py",
    "package/inner/__init__.py",
    "package/inner/one.py",
    "package/inner/two.py",
    "package/part.py",
    "second.py",
  ]);
});
