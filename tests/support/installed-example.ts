import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { example } from "./example-harness.ts";
import { exclusively } from "./exclusively.ts";
import { keptPath } from "./kept.ts";
import { reportMissing } from "./requirements.ts";

/** The packages of an example are up to 200 MB the first time. */
const INSTALL_MS = 90_000;

/**
 * Returns a folder with a copy of an example in TypeScript and its packages, which is kept between runs. Returns
 * undefined, and prints why, when the packages cannot be installed.
 */
export async function installedExample(name: string): Promise<string | undefined> {
  return await installedPackages(example(name), `example-${name}`);
}

/**
 * The same for any folder with a `package.json`. @param name of the copy
 */
export async function installedPackages(source: string, name: string): Promise<string | undefined> {
  const versions = await readFile(join(source, "package.json"));
  const hash = createHash("sha256").update(versions).digest("hex").slice(0, 12);
  const folder = keptPath(`${name}-${hash}`);
  return await exclusively(`${folder}.lock`, async () => {
    await copyChanged(source, folder);
    // Written last: without it, an installation was interrupted.
    const done = join(folder, "installed.txt");
    if (existsSync(done)) return folder;
    const child = Bun.spawn([process.execPath, "install", "--ignore-scripts", "--no-summary"], {
      cwd: folder,
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
      timeout: INSTALL_MS,
      killSignal: "SIGKILL",
    });
    const [code, err] = await Promise.all([child.exited, child.stderr.text()]);
    if (code === 0) {
      await writeFile(done, versions);
      return folder;
    }
    const reason = err.trim().split("\n").at(-1) ?? "";
    reportMissing(`the packages of ${name} cannot be installed (bun install ended with ${code}: ${reason})`);
    return undefined;
  });
}

/** Copies the files that differ, whole: other tests may be using them. */
async function copyChanged(source: string, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const files = (await readdir(source)).filter((file) => /\.m?[jt]s$|^package\.json$|^bun\.lock$/.test(file));
  for (const file of files) {
    const bytes = await readFile(join(source, file));
    const to = join(folder, file);
    if (existsSync(to) && bytes.equals(await readFile(to))) continue;
    await writeFile(`${to}.new`, bytes);
    await rename(`${to}.new`, to);
  }
}
