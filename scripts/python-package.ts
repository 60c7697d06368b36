// Builds the package of the client for Python: a wheel and a source distribution.
// Usage: bun scripts/python-package.ts [FOLDER]   (default dist/python)

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";

const root = join(import.meta.dir, "..");
const source = join(root, "clients", "python");

/** Longest time of a command: packages of 2 MB are installed the first time. */
const COMMAND_MS = 240_000;

/**
 * Builds the wheel and the source distribution into a folder, and returns their paths.
 * @param folder is emptied
 * @throws Error when there is no Python 3.9 or newer, or the tools cannot be installed
 */
export async function buildPythonPackage(folder: string): Promise<{ wheel: string; sdist: string }> {
  const tools = await buildTools();
  await rm(folder, { recursive: true, force: true });
  await run([join(tools, "bin", "python"), "-m", "build", "--no-isolation", "--outdir", folder, source]);
  const names = await readdir(folder);
  const find = (ending: string): string => {
    const name = names.find((each) => each.endsWith(ending));
    if (name === undefined) throw new Error(`the build has made no ${ending} in ${folder}`);
    return join(folder, name);
  };
  return { wheel: find(".whl"), sdist: find(".tar.gz") };
}

/** A virtual environment with the tools in the versions of `requirements-build.txt`, which is kept. */
async function buildTools(): Promise<string> {
  const list = join(source, "requirements-build.txt");
  const versions = await Bun.file(list).text();
  const name = createHash("sha256").update(versions).digest("hex").slice(0, 12);
  const folder = join(root, "node_modules", ".cache", `python-build-${name}`);
  // Written last: without it, an installation was interrupted.
  const done = join(folder, "installed.txt");
  if (existsSync(done)) return folder;
  await mkdir(folder, { recursive: true });
  await run(["python3", "-m", "venv", "--clear", folder]);
  const pip = [join(folder, "bin", "python"), "-m", "pip", "--disable-pip-version-check", "--no-input"];
  await run([...pip, "install", "--quiet", "--no-deps", "--only-binary=:all:", "--requirement", list]);
  await writeFile(done, versions);
  return folder;
}

async function run(command: string[]): Promise<void> {
  const child = Bun.spawn(command, { stdin: "ignore", stdout: "ignore", stderr: "pipe", timeout: COMMAND_MS });
  const [code, err] = await Promise.all([child.exited, child.stderr.text()]);
  if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code}: ${err.trim().split("\n").at(-1) ?? ""}`);
}

if (import.meta.main) {
  const { wheel, sdist } = await buildPythonPackage(resolve(process.argv[2] ?? join(root, "dist", "python")));
  console.log(`${wheel}\n${sdist}`);
}
