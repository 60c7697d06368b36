// Interpreters of Python for tests.

import { existsSync, readdirSync, realpathSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

import { keptPath } from "./kept.ts";
import { reportMissing } from "./requirements.ts";

/** Where packages of Python are kept between runs. */
const ENVIRONMENT = keptPath("python");
const NUMPY = "numpy>=1.26,<3";
const INSTALL_MS = 180_000;

/** Path of the interpreter that tests of Python use; undefined: there is none. */
export const python = findPython();

/** Path of a model file in Python of the tests. */
export function pythonModel(name: string): string {
  return join(import.meta.dir, "models", "python", `${name}.py`);
}

function findPython(): string | undefined {
  // `python3` may be a script that chooses a version each time.
  const print = "import sys; print(sys.executable if sys.version_info >= (3, 9) else '')";
  const found = Bun.which("python3");
  const path = found === null ? "" : Bun.spawnSync([found, "-c", print]).stdout.toString().trim();
  if (path !== "") return path;
  reportMissing("models in Python: there is no python3 of version 3.9 or newer on the PATH");
  return undefined;
}

/** Paths of other interpreters, of any version: those on the PATH, and those of pyenv. */
export function otherPythons(): string[] {
  const names = ["python2", "python3", ...Array.from({ length: 15 }, (_, minor) => `python3.${minor}`), "pypy3"];
  const onPath = names.flatMap((name) => Bun.which(name) ?? []);
  const versions = join(process.env["PYENV_ROOT"] ?? join(homedir(), ".pyenv"), "versions");
  const ofPyenv = existsSync(versions)
    ? readdirSync(versions).map((name) => join(versions, name, "bin", "python"))
    : [];
  const print = "import sys; print(sys.executable)";
  const found = [...onPath, ...ofPyenv].flatMap((path) => {
    const { exitCode, stdout } = Bun.spawnSync([path, "-c", print], { stderr: "ignore" });
    return exitCode === 0 ? [realpathSync(stdout.toString().trim())] : [];
  });
  return [...new Set(found)];
}

/** Returns the path of an interpreter that has NumPy, in an environment of its own; undefined: it cannot be had. */
export function pythonWithNumPy(): string | undefined {
  if (python === undefined) return undefined;
  const inside = join(ENVIRONMENT, "bin", "python");
  const hasNumPy = (): boolean => existsSync(inside) && run([inside, "-c", "import numpy"]) === undefined;
  if (hasNumPy()) return inside;
  const problem =
    run([python, "-m", "venv", "--clear", ENVIRONMENT]) ??
    run([inside, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", NUMPY]);
  if (problem === undefined && hasNumPy()) return inside;
  reportMissing(`NumPy cannot be installed: ${problem}`);
  return undefined;
}

/** Returns why a command failed. */
function run(command: string[]): string | undefined {
  const { exitCode, stderr } = Bun.spawnSync(command, { stdin: "ignore", timeout: INSTALL_MS });
  return exitCode === 0 ? undefined : `${command.join(" ")}: ${stderr.toString().trim().split("\n").at(-1)}`;
}
