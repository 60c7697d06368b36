// Builds what is not up to date: the native library, then the executable `./streamer` that contains it.

import { createHash } from "node:crypto";
import { chmod, mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";

import { buildNative } from "./native.ts";

const root = join(import.meta.dir, "..");
const executable = join(root, "streamer");
const stamp = join(root, "native", "build", "executable.sha256");

/** Everything that the executable is made from, in a fixed order. */
async function inputs(): Promise<string[]> {
  const sources = await readdir(join(root, "src"), { recursive: true, withFileTypes: true });
  return [
    ...sources.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name)),
    ...["package.json", "bun.lock", "tsconfig.json", "scripts/build.ts", "native/build/libstreamer_audio.so"].map(
      (path) => join(root, path),
    ),
  ].sort();
}

/** Contents, not times: a checkout or a copy of the tree may change every time. */
async function fingerprint(): Promise<string> {
  const hash = createHash("sha256").update(Bun.version);
  for (const path of await inputs()) hash.update(`\0${path}\0`).update(await Bun.file(path).bytes());
  return hash.digest("hex");
}

/** A finished build is described by its inputs and by the very file that came out. */
async function describe(inputsHash: string): Promise<string | undefined> {
  try {
    const { size, mtimeMs } = await stat(executable);
    return `${inputsHash} ${size} ${mtimeMs}`;
  } catch {
    return undefined;
  }
}

/**
 * Brings `./streamer` up to date and returns its absolute path. May run in several processes at once: each builds
 * beside the old file and moves the new one in place in one step.
 */
export async function buildExecutable(): Promise<string> {
  await buildNative();
  const inputsHash = await fingerprint();
  const recorded = Bun.file(stamp);
  if ((await recorded.exists()) && (await recorded.text()) === (await describe(inputsHash))) return executable;

  const folder = join(root, "native", "build", `executable.${process.pid}`);
  await mkdir(folder, { recursive: true });
  try {
    const outfile = join(folder, "streamer");
    // `main.ts` makes the worker's URL from its own: both are entry points, side by side.
    await Bun.build({
      entrypoints: [join(root, "src", "main.ts"), join(root, "src", "worker.ts")],
      compile: {
        outfile,
        // A model of the user's, imported at run time, finds its own packages only so.
        autoloadPackageJson: true,
        // A server must not read settings from whatever folder it is started in.
        autoloadDotenv: false,
        autoloadBunfig: false,
      },
      sourcemap: "linked",
      // Parsed while building: a server is ready a third sooner.
      bytecode: true,
      format: "esm",
      minify: { whitespace: true, syntax: true, identifiers: false },
    });
    await chmod(outfile, 0o755);
    await rename(outfile, executable);
    const described = await describe(inputsHash);
    if (described !== undefined) await Bun.write(stamp, described);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return executable;
}

if (import.meta.main) {
  try {
    await buildExecutable();
  } catch (error) {
    // What the bundler found is several errors with places; anything else is one sentence.
    console.error(error instanceof AggregateError || !(error instanceof Error) ? error : error.message);
    process.exitCode = 1;
  }
}
