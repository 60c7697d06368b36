import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { exclusively } from "./exclusively.ts";
import { keptPath } from "./kept.ts";
import { reportMissing } from "./requirements.ts";

/** Packages of some 60 MB the first time. */
const INSTALL_MS = 240_000;

/**
 * Returns a folder with a virtual environment that has these packages and nothing else. It is kept between runs. Returns
 * undefined, and prints why, when the packages cannot be installed.
 * @param requirements lines for pip, each `NAME==VERSION`
 * @param withDependencies also what these packages require, in the newest versions
 */
export async function pythonPackages(requirements: string, withDependencies = false): Promise<string | undefined> {
  const name = createHash("sha256").update(requirements).digest("hex").slice(0, 12);
  const scope = withDependencies ? [] : ["--no-deps"];
  const folder = keptPath(`python-${name}`);
  return await exclusively(`${folder}.lock`, async () => {
    // Written last: without it, an installation was interrupted.
    const done = join(folder, "installed.txt");
    if (existsSync(done)) return folder;
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    const list = join(folder, "requirements.txt");
    await writeFile(list, requirements);
    const pip = [join(folder, "bin", "python"), "-m", "pip", "--disable-pip-version-check", "--no-input"];
    for (const command of [
      ["python3", "-m", "venv", folder],
      [...pip, "install", "--quiet", ...scope, "--only-binary=:all:", "--requirement", list],
    ]) {
      const problem = await runCommand(command);
      if (problem === undefined) continue;
      reportMissing(`the packages ${requirements.trim().replaceAll("\n", ", ")} cannot be installed: ${problem}`);
      return undefined;
    }
    await writeFile(done, requirements);
    return folder;
  });
}

/** Returns the reason why a command has failed. */
export async function runCommand(command: readonly string[]): Promise<string | undefined> {
  if (Bun.which(command[0]!) === null) return `${command[0]} is not installed`;
  const child = Bun.spawn([...command], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
    timeout: INSTALL_MS,
    killSignal: "SIGKILL",
  });
  const [code, err] = await Promise.all([child.exited, child.stderr.text()]);
  return code === 0 ? undefined : `${command.join(" ")} ended with ${code}: ${err.trim().split("\n").at(-1) ?? ""}`;
}
