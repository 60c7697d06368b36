import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { WatchedFiles } from "../../../src/commands/serve/watched-files.ts";

let folder = "";
/** Sizes of files differ with each write, since their times may be the same. */
let writes = 0;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "streamer-watched-"));
  write("model.ts", 'import "./helper.ts"; import "package";');
  write("helper.ts", 'import "./data.json";');
  write("data.json", "{}");
  write("other.ts", "");
  mkdirSync(join(folder, "node_modules", "package"), { recursive: true });
  write("node_modules/package/index.js", "");
});

afterEach(() => rmSync(folder, { recursive: true }));

function write(name: string, text: string): void {
  writeFileSync(join(folder, name), `${text}${" ".repeat(++writes)}`);
}

function watch(): WatchedFiles {
  return new WatchedFiles(join(folder, "model.ts"));
}

/** What some looks report, without the folder. */
function look(files: WatchedFiles, looks: number): (string | undefined)[] {
  return Array.from({ length: looks }, () => files.look()?.slice(folder.length + 1));
}

test("a change of the model file or of a file that it imports is reported once, when two looks have found the same", () => {
  const files = watch();
  expect(files.count).toBe(3);
  expect(look(files, 2)).toEqual([undefined, undefined]);
  for (const name of ["model.ts", "helper.ts", "data.json"]) {
    write(name, name === "model.ts" ? 'import "./helper.ts";' : name === "helper.ts" ? 'import "./data.json";' : "[]");
    expect(look(files, 4)).toEqual([undefined, name, undefined, undefined]);
  }
});

test("a file that is still being written is reported when it is complete", () => {
  const files = watch();
  for (let part = 0; part < 5; part++) {
    write("helper.ts", "//");
    expect(look(files, 1)).toEqual([undefined]);
  }
  expect(look(files, 2)).toEqual(["helper.ts", undefined]);
});

test("a file that is replaced by a rename is a change, also of the same size and time", () => {
  const files = watch();
  write("new.ts", 'import "./data.json";');
  renameSync(join(folder, "new.ts"), join(folder, "helper.ts"));
  expect(look(files, 3)).toEqual([undefined, "helper.ts", undefined]);
});

test("files of packages, and files that the model does not import, are not watched", () => {
  const files = watch();
  write("other.ts", "changed");
  write("node_modules/package/index.js", "changed");
  expect(look(files, 3)).toEqual([undefined, undefined, undefined]);
});

test("a file that the model imports after a change is watched from then on, and one that it no longer imports is not", () => {
  const files = watch();
  write("model.ts", 'import "./other.ts";');
  expect(look(files, 3)[1]).toBeString();
  expect(files.count).toBe(2);
  write("helper.ts", "");
  expect(look(files, 3)).toEqual([undefined, undefined, undefined]);
  write("other.ts", "changed");
  expect(look(files, 3)).toEqual([undefined, "other.ts", undefined]);
});

test("a model file that is missing is no change until it is back", () => {
  const files = watch();
  rmSync(join(folder, "model.ts"));
  expect(look(files, 3)).toEqual([undefined, undefined, undefined]);
  write("model.ts", "");
  expect(look(files, 3).filter((path) => path !== undefined)).toHaveLength(1);
});

test("a file that a broken model is missing is found when it comes", () => {
  const files = watch();
  write("helper.ts", 'import "./missing.ts";');
  expect(look(files, 3)[1]).toBe("helper.ts");
  files.searches = true;
  write("missing.ts", "");
  expect(look(files, 3)).toEqual([undefined, "missing.ts", undefined]);
});
