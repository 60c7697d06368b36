import { accessSync, closeSync, constants, existsSync, openSync, readSync, realpathSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

import { resolvePythonSettings } from "../model/python-module.ts";
import { BOOTSTRAP, hostProgram } from "../worker/python/program.ts";
import { findForeignPart } from "./environment-owner.ts";
import type { Launch } from "./launch.ts";

/** Longest first line of a script that Linux reads. */
const SCRIPT_LINE_BYTES = 256;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Returns the program for a model file in Python. Throws an error for its author when there is no interpreter.
 * @param python interpreter by name or path; "auto": see `findInterpreter`
 * @param environment of the worker
 */
export function pythonLaunch(model: string, python: string, environment: Launch["environment"]): Launch {
  const interpreter = findInterpreter(model, python, environment);
  return {
    command: [interpreter, "-c", BOOTSTRAP],
    note: `its interpreter is ${interpreter}`,
    environment,
    program: hostProgram(),
    declared: (module, settings) => resolvePythonSettings(module, settings, resolve(model)),
  };
}

/**
 * Returns the path of the interpreter. "auto" is that of `.venv` beside the model, or else that of the
 * virtual environment that is active, or else `python3`. A `.venv` that another user may have put there is refused.
 */
export function findInterpreter(model: string, python: string, env: Environment): string {
  if (python !== "auto") return configured(python, env);
  const path = resolve(model);
  for (const folder of new Set([dirname(path), dirname(realPath(path))])) {
    const venv = join(folder, ".venv");
    if (!existsSync(venv)) continue;
    const foreign = findForeignPart(venv, path);
    if (foreign === undefined) return ofEnvironment(venv);
    const remedy = `if you trust it, choose ${join(venv, "bin", "python")} by model.python`;
    throw new Error(`python: the virtual environment ${venv} is not used: ${foreign}; ${remedy}`);
  }
  const active = env["VIRTUAL_ENV"];
  if (active !== undefined && active !== "" && existsSync(active)) return ofEnvironment(active);
  const found = which("python3", env);
  if (found !== undefined) return found;
  throw new Error(
    "python: found none; there is no .venv beside the model, VIRTUAL_ENV names no folder, and there is no python3 on the " +
      "PATH; model.python names an interpreter by its path",
  );
}

function configured(python: string, env: Environment): string {
  const value = JSON.stringify(python);
  if (!python.includes("/")) {
    const found = which(python, env);
    if (found !== undefined) return found;
    throw new Error(`python: found ${value}, which is not on the PATH; allowed: Python 3.9 or newer, by name or path`);
  }
  const path = resolve(python);
  const problem = findProblem(path);
  if (problem === undefined) return path;
  throw new Error(`python: found ${value}: ${problem}; looked for ${path}`);
}

function ofEnvironment(venv: string): string {
  const path = join(venv, "bin", "python");
  const problem = findProblem(path);
  if (problem === undefined) return path;
  throw new Error(
    `python: the virtual environment ${venv} cannot be used: ${problem} (${path}); ` +
      "create it again, or choose another interpreter by model.python",
  );
}

/** Returns why a file cannot be run. */
function findProblem(path: string): string | undefined {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return "there is no such file";
  if (stat.isDirectory()) {
    const inside = join(path, "bin", "python");
    return existsSync(inside) ? `it is a folder; its interpreter is ${inside}` : "it is a folder";
  }
  try {
    accessSync(path, constants.X_OK);
  } catch {
    return "it is not executable";
  }
  return findScriptProblem(path);
}

/** Returns why a script cannot be run: the system says of it what it says of a file that is missing. */
function findScriptProblem(path: string): string | undefined {
  const [, program] = /^#![ \t]*([^ \t\n]+)/.exec(firstBytes(path)) ?? [];
  if (program === undefined || existsSync(program)) return undefined;
  const hint = program.endsWith("\r") ? ", because its lines end as on Windows" : "";
  return `its first line starts ${JSON.stringify(program)}, which does not exist${hint}`;
}

function firstBytes(path: string): string {
  try {
    const file = openSync(path, "r");
    try {
      const bytes = Buffer.alloc(SCRIPT_LINE_BYTES);
      return bytes.toString("latin1", 0, readSync(file, bytes));
    } finally {
      closeSync(file);
    }
  } catch {
    return "";
  }
}

function which(name: string, env: Environment): string | undefined {
  return Bun.which(name, { PATH: env["PATH"] ?? "" }) ?? undefined;
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
