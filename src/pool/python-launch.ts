import { accessSync, constants, existsSync, realpathSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

import { BOOTSTRAP, hostProgram } from "../worker/python/program.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** How a worker in Python is started. */
export interface PythonLaunch {
  readonly command: readonly string[];
  /** What is written to the channel before the first frame. */
  readonly program: Uint8Array;
}

export interface PythonLaunchOptions {
  /** Path of the model file. */
  readonly model: string;
  /** `model.python`: path or name of the interpreter; undefined: see `findInterpreter`. */
  readonly python: string | undefined;
  /** Environment of the worker. */
  readonly env: Environment;
}

/** Returns how a worker is started for a model file. Throws an error for its author when there is no interpreter. */
export function pythonLaunch(options: PythonLaunchOptions): PythonLaunch {
  return { command: [findInterpreter(options), "-c", BOOTSTRAP], program: hostProgram() };
}

/**
 * Returns the path of the interpreter: `model.python`, or else that of `.venv` beside the model, or else that of the
 * virtual environment that is active, or else `python3`.
 */
export function findInterpreter({ model, python, env }: PythonLaunchOptions): string {
  if (python !== undefined) return configured(python, env);
  const path = resolve(model);
  for (const folder of new Set([dirname(path), dirname(realPath(path))])) {
    const venv = join(folder, ".venv");
    if (existsSync(venv)) return ofEnvironment(venv);
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
    return undefined;
  } catch {
    return "it is not executable";
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
