import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { packClient } from "../../scripts/client-package.ts";
import { root } from "./documents.ts";
import { exclusively } from "./exclusively.ts";

const cache = join(root, "node_modules", ".cache");
/** Programs that use the package. */
export const PROGRAMS = join(root, "tests", "suites", "interop", "clients", "javascript");

/** Longest that an installation may take, in milliseconds. */
const INSTALL_MS = 120_000;

/** Returns the path of the tarball of `streamer-client`, made of the sources as they are. */
export async function clientTarball(): Promise<string> {
  return await exclusively(join(cache, "client-package.lock"), () => packClient(join(cache, "client-package")));
}

/**
 * Returns a folder in which npm has installed the tarball, as a user would: an empty folder, an empty environment. It is
 * kept as long as the package does not change. No registry is needed: `ws` is packed from where the project has it.
 */
export async function installedClient(): Promise<string> {
  const tarball = await clientTarball();
  const hash = createHash("sha256")
    .update(await contentOf(tarball))
    .digest("hex")
    .slice(0, 12);
  const folder = join(cache, `client-installed-${hash}`);
  return await exclusively(`${folder}.lock`, async () => {
    // Written last: without it, an installation was interrupted.
    const done = join(folder, "installed.txt");
    if (!existsSync(done)) {
      await rm(folder, { recursive: true, force: true });
      await mkdir(folder, { recursive: true });
      // A folder above has a package.json: without its own, npm would install there.
      await writeFile(join(folder, "package.json"), "{}\n");
      const ws = await npm(["pack", "--json", "--ignore-scripts", join(root, "node_modules", "ws")], folder);
      const [{ filename }] = JSON.parse(ws) as [{ filename: string }];
      await npm(["install", "--offline", "--no-audit", "--no-fund", tarball, join(folder, filename)], folder);
      await writeFile(done, "");
    }
    for (const name of await readdir(PROGRAMS)) {
      await copyFile(join(PROGRAMS, name), join(folder, `${name}.${process.pid}`));
      await rename(join(folder, `${name}.${process.pid}`), join(folder, name));
    }
    return folder;
  });
}

/** The files in a tarball: its own bytes have times. */
async function contentOf(tarball: string): Promise<Uint8Array> {
  return Bun.gunzipSync(new Uint8Array(await readFile(tarball)));
}

/** Runs npm with an environment of its own. */
async function npm(args: readonly string[], cwd: string): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), "streamer-npm-"));
  try {
    const { code, out, err } = await runProgram(["npm", ...args], cwd, { HOME: home });
    if (code !== 0) throw new Error(`npm ${args.join(" ")} ended with ${code}: ${err}`);
    return out;
  } finally {
    await rm(home, { recursive: true });
  }
}

/** Runs a program in a folder, with an environment that has its PATH alone. */
export async function runProgram(
  command: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): Promise<{ code: number; out: string; err: string }> {
  const child = Bun.spawn([...command], {
    cwd,
    env: { PATH: process.env["PATH"] ?? "", ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: INSTALL_MS,
    killSignal: "SIGKILL",
  });
  const [code, out, err] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
  return { code, out, err };
}

/** Runs `run.mjs` in the folder of `installedClient`. Returns what it printed. Throws an Error if it has failed. */
export async function runClient(runtime: readonly string[], folder: string, action: object): Promise<unknown> {
  const { code, out, err } = await runProgram([...runtime, "run.mjs", JSON.stringify(action)], folder);
  // What Deno 2.9.6 prints when a server ends a connection of TLS.
  const faults = err.replaceAll(/^Error polling connection: .*\n/gm, "");
  if (code !== 0 || faults !== "") throw new Error(`${runtime.join(" ")} ended with ${code}: ${err}`);
  return JSON.parse(out);
}
