import { afterAll, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { findForeignPart } from "../../src/pool/environment-owner.ts";
import { findInterpreter } from "../../src/pool/python-launch.ts";
import { testWith } from "../support/requirements.ts";

const isRoot = process.getuid?.() === 0 || undefined;
const SOMEBODY = 65_534;
const ALICE = 1_001;

const folder = mkdtempSync(join(tmpdir(), "streamer-environments-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** A model beside a virtual environment whose interpreter is a link, as `python3 -m venv` makes it. */
function make(name: string): { model: string; venv: string; bin: string; python: string } {
  const venv = join(folder, name, ".venv");
  const bin = join(venv, "bin");
  mkdirSync(bin, { recursive: true });
  const model = join(folder, name, "model.py");
  writeFileSync(model, "");
  const python = join(bin, "python");
  symlinkSync("/bin/sh", python);
  for (const each of [join(folder, name), venv, bin]) chmodSync(each, 0o755);
  return { model, venv, bin, python };
}

test("a virtual environment of this user is used, and so is one that a group may write to", () => {
  const { model, venv, bin, python } = make("own");
  for (const mode of [0o755, 0o775, 0o700]) {
    for (const each of [venv, bin]) chmodSync(each, mode);
    expect(findForeignPart(venv, model)).toBeUndefined();
  }
  expect(findInterpreter(model, "auto", {})).toBe(python);
});

test("a virtual environment that every user may write to is refused, and its interpreter as well", () => {
  const { model, venv, bin, python } = make("open");
  chmodSync(bin, 0o777);
  expect(findForeignPart(venv, model)).toBe(`every user may write to ${bin}`);
  expect(() => findInterpreter(model, "auto", {})).toThrow(
    `python: the virtual environment ${venv} is not used: every user may write to ${bin}; ` +
      `if you trust it, choose ${python} by model.python`,
  );
  expect(findInterpreter(model, python, {})).toBe(python);
  // Others can add to what is there.
  chmodSync(bin, 0o1777);
  expect(findForeignPart(venv, model)).toBe(`every user may write to ${bin}`);
  chmodSync(bin, 0o755);
  rmSync(python);
  writeFileSync(python, "");
  chmodSync(python, 0o757);
  expect(findForeignPart(venv, model)).toBe(`every user may write to ${python}`);
});

testWith(isRoot)("a virtual environment that another user has put beside a model is refused, with whose it is", () => {
  const foreign = (path: string) =>
    `${path} belongs to user ${SOMEBODY}; allowed: root, the user of the server, the owner of the model`;
  for (const part of ["venv", "bin", "python"] as const) {
    const made = make(`planted-${part}`);
    lchownSync(made[part], SOMEBODY, SOMEBODY);
    expect(findForeignPart(made.venv, made.model)).toBe(foreign(made[part]));
    expect(() => findInterpreter(made.model, "auto", {})).toThrow(foreign(made[part]));
  }
  // A link of this user to a folder of somebody else, and the other way round.
  const { model, venv } = make("linked");
  const elsewhere = join(folder, "elsewhere");
  renameSync(venv, elsewhere);
  symlinkSync(elsewhere, venv);
  expect(findForeignPart(venv, model)).toBeUndefined();
  lchownSync(venv, SOMEBODY, SOMEBODY);
  expect(findForeignPart(venv, model)).toBe(foreign(venv));
  lchownSync(venv, 0, 0);
  chownSync(elsewhere, SOMEBODY, SOMEBODY);
  expect(findForeignPart(venv, model)).toBe(foreign(venv));
});

testWith(isRoot)("a virtual environment of the owner of the model is used, or of who has made the link to it", () => {
  const { model, venv, bin, python } = make("of-alice");
  for (const path of [model, venv, bin, python]) lchownSync(path, ALICE, ALICE);
  expect(findForeignPart(venv, model, SOMEBODY)).toBeUndefined();
  const link = join(folder, "of-alice", "link.py");
  symlinkSync(make("target").model, link);
  expect(findForeignPart(venv, link, SOMEBODY)).toContain(`belongs to user ${ALICE}`);
  lchownSync(link, ALICE, ALICE);
  expect(findForeignPart(venv, link, SOMEBODY)).toBeUndefined();
});
