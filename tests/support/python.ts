// Interpreters of Python for tests.

import { existsSync } from "node:fs";
import { join } from "node:path";

import { reportMissing } from "./requirements.ts";

/** Where packages of Python are kept between runs. */
const ENVIRONMENT = join(import.meta.dir, "..", "..", "node_modules", ".cache", "python");
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
