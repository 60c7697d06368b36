// The client library for Python, as it is installed: its wheel, in environments of its own.

import { createHash } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { mkdir, readdir, rm, stat, utimes, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join, relative } from "node:path";

import { buildPythonPackage } from "../../scripts/python-package.ts";
import { filesBelow, root } from "./documents.ts";
import { exclusively } from "./exclusively.ts";
import { KEPT, keptPath } from "./kept.ts";
import { runCommand } from "./python-packages.ts";
import { reportMissing } from "./requirements.ts";

/** After so long, what was made of other sources is removed. */
const UNUSED_MS = 86_400_000;

/** The folder of the package. */
export const source = join(root, "clients", "python");

/** An environment of Python with the wheel and what it requires, and nothing else. */
export interface ClientEnvironment {
  /** Such as 3.9. */
  readonly version: string;
  readonly python: string;
}

/**
 * Returns the environments for the oldest version of CPython that the package supports, and for the newest one at hand.
 * What is missing is printed.
 */
export async function clientEnvironments(): Promise<ClientEnvironment[]> {
  const newest = ["3.14", "3.13", "3.12", "3.11", "3.10"].find((version) => interpreter(version) !== undefined);
  const found: ClientEnvironment[] = [];
  for (const [version, websockets] of [
    ["3.9", "15.0.1"],
    [newest, "17.4"],
  ] as const) {
    const python = version === undefined ? undefined : interpreter(version);
    if (version === undefined || python === undefined) {
      reportMissing(`the client for Python with CPython ${version ?? "3.10 or newer"}: it is not installed`);
      continue;
    }
    const environment = await environmentOf(version, python, websockets);
    if (environment !== undefined) found.push(environment);
  }
  return found;
}

/** Returns an environment with the tools that check types and style, in the versions of `requirements-check.txt`. */
export async function checkingTools(python: string): Promise<string | undefined> {
  const list = join(source, "requirements-check.txt");
  const hash = await hashOf([list]);
  return await installed(keptPath(`python-client-checks-${hash}`), python, ["--requirement", list]);
}

/** A hash of the contents of these files. */
export async function hashOf(paths: readonly string[]): Promise<string> {
  const hash = createHash("sha256");
  for (const path of paths) hash.update(`${relative(root, path)}\0`).update(await Bun.file(path).bytes());
  return hash.digest("hex").slice(0, 12);
}

/** All files of the package that are its own. */
export async function packageFiles(): Promise<string[]> {
  const paths = await filesBelow("clients/python", "");
  return paths.filter((path) => /\.(?:py|typed|toml|md|txt)$|LICENSE$/.test(path)).map((path) => join(root, path));
}

/** Path of CPython of a version such as 3.9: on the PATH, or of pyenv. */
function interpreter(version: string): string | undefined {
  const versions = join(process.env["PYENV_ROOT"] ?? join(homedir(), ".pyenv"), "versions");
  const ofPyenv = existsSync(versions)
    ? readdirSync(versions)
        .filter((name) => name.startsWith(`${version}.`))
        .map((name) => join(versions, name, "bin", "python"))
    : [];
  // A name on the PATH may be a script that finds no such version.
  return [...ofPyenv, Bun.which(`python${version}`) ?? ""].find(
    (path) => path !== "" && Bun.spawnSync([path, "-c", "import venv"], { stderr: "ignore" }).exitCode === 0,
  );
}

/** Installs the wheel of the present sources with this version of `websockets`, once. */
async function environmentOf(
  version: string,
  python: string,
  websockets: string,
): Promise<ClientEnvironment | undefined> {
  const hash = await hashOf([...(await packageFiles()), join(root, "scripts", "python-package.ts")]);
  const wheel = await wheelOf(hash);
  if (wheel === undefined) return undefined;
  const prefix = `python-client-${version}-`;
  const folder = keptPath(`${prefix}${hash}`);
  const environment = await installed(folder, python, [wheel, `websockets==${websockets}`]);
  if (environment === undefined) return undefined;
  await removeOthers(prefix, folder);
  return { version, python: join(folder, "bin", "python") };
}

async function wheelOf(hash: string): Promise<string | undefined> {
  const folder = keptPath(`python-client-dist-${hash}`);
  return await exclusively(`${folder}.lock`, async () => {
    const names = existsSync(folder) ? await readdir(folder) : [];
    const wheel = names.find((name) => name.endsWith(".whl"));
    if (wheel !== undefined) {
      await removeOthers("python-client-dist-", folder);
      return join(folder, wheel);
    }
    try {
      const built = await buildPythonPackage(folder);
      await removeOthers("python-client-dist-", folder);
      return built.wheel;
    } catch (error) {
      reportMissing(`the client for Python cannot be built: ${String(error)}`);
      return undefined;
    }
  });
}

/** Makes a virtual environment with these packages and what they require, once. */
async function installed(folder: string, python: string, packages: readonly string[]): Promise<string | undefined> {
  return await exclusively(`${folder}.lock`, async () => {
    const done = join(folder, "installed.txt");
    if (existsSync(done)) return folder;
    await mkdir(folder, { recursive: true });
    const pip = [join(folder, "bin", "python"), "-m", "pip", "--disable-pip-version-check", "--no-input"];
    for (const command of [
      [python, "-m", "venv", "--clear", folder],
      [...pip, "install", "--quiet", "--only-binary=:all:", ...packages],
    ]) {
      const problem = await runCommand(command);
      if (problem === undefined) continue;
      reportMissing(`${packages.join(", ")} cannot be installed: ${problem}`);
      return undefined;
    }
    await writeFile(done, packages.join("\n"));
    return folder;
  });
}

/** Removes what was made of other sources and has not been used for a day: checkouts may share this folder. */
async function removeOthers(prefix: string, folder: string): Promise<void> {
  const now = new Date();
  await utimes(folder, now, now);
  for (const name of await readdir(KEPT)) {
    const path = keptPath(name);
    if (!name.startsWith(prefix) || path.startsWith(folder)) continue;
    const { mtimeMs } = await stat(path);
    if (mtimeMs < now.getTime() - UNUSED_MS) await rm(path, { recursive: true, force: true });
  }
}
