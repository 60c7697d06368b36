// Builds the native library, the console and the executable `./streamer`, which contains both. Each is rebuilt only when its inputs
// have changed.

import { createHash } from "node:crypto";
import { chmod, mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";

import { buildConsole } from "./console.ts";
import { buildNative } from "./native.ts";

const root = join(import.meta.dir, "..");
const executable = join(root, "streamer");
const stamp = join(root, "native", "build", "executable.sha256");

/** The files that the executable is made from, in a fixed order. */
async function inputs(): Promise<string[]> {
  const sources = await readdir(join(root, "src"), { recursive: true, withFileTypes: true });
  return [
    ...sources.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name)),
    ...[
      "package.json",
      "bun.lock",
      "tsconfig.json",
      "scripts/build.ts",
      "scripts/console.ts",
      "native/build/libstreamer_audio.so",
    ].map((path) => join(root, path)),
  ].sort();
}

/** A hash of contents, because a checkout or a copy of the tree changes modification times. */
async function fingerprint(): Promise<string> {
  const hash = createHash("sha256").update(Bun.version);
  for (const path of await inputs()) hash.update(`\0${path}\0`).update(await Bun.file(path).bytes());
  return hash.digest("hex");
}

/** Identifies a finished build by its inputs and by the size and time of the executable. */
async function describe(inputsHash: string): Promise<string | undefined> {
  try {
    const { size, mtimeMs } = await stat(executable);
    return `${inputsHash} ${size} ${mtimeMs}`;
  } catch {
    return undefined;
  }
}

/**
 * Brings `./streamer` up to date and returns its absolute path. Several processes may run this at once: each builds to
 * a folder of its own and renames the result.
 */
export async function buildExecutable(): Promise<string> {
  await Promise.all([buildNative(), buildConsole()]);
  const inputsHash = await fingerprint();
  const recorded = Bun.file(stamp);
  if ((await recorded.exists()) && (await recorded.text()) === (await describe(inputsHash))) return executable;

  const folder = join(root, "native", "build", `executable.${process.pid}`);
  await mkdir(folder, { recursive: true });
  try {
    const outfile = join(folder, "streamer");
    await compile(join(root, "src"), outfile);
    await rename(outfile, executable);
    const described = await describe(inputsHash);
    if (described !== undefined) await Bun.write(stamp, described);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return executable;
}

/** What makes an executable of another machine than this one. */
export interface Platform {
  readonly target: Bun.Build.CompileTarget;
  /** Path of Bun for that machine. */
  readonly runtime: string;
  /** Path of the C library for that machine. */
  readonly library: string;
}

/** Compiles the program of `main.ts` and `worker.ts` in a folder. */
export async function compile(folder: string, outfile: string, platform?: Platform): Promise<void> {
  // `main.ts` derives the URL of the worker from its own, so both are entry points.
  await Bun.build({
    entrypoints: [join(folder, "main.ts"), join(folder, "worker.ts")],
    compile: {
      outfile,
      ...(platform === undefined ? {} : { target: platform.target, executablePath: platform.runtime }),
      // Needed by model files of users: imported at run time, they resolve their own packages only with this.
      autoloadPackageJson: true,
      // A server must not read settings from the folder it is started in.
      autoloadDotenv: false,
      autoloadBunfig: false,
      // BUN_OPTIONS of the environment is put before these arguments, and Bun 1.4.5 obeys none of it in front of `--`.
      execArgv: ["--"],
    },
    plugins: platform === undefined ? [] : [otherLibrary(platform.library)],
    // The path of each CommonJS module would be in it otherwise, and the same sources give other bytes elsewhere.
    define: { __dirname: '"/"' },
    sourcemap: "linked",
    // Parsing at build time makes a server ready a third sooner.
    bytecode: true,
    format: "esm",
    minify: { whitespace: true, syntax: true, identifiers: false },
  });
  await chmod(outfile, 0o755);
}

/** Takes another C library than that of this machine. */
function otherLibrary(path: string): Bun.BunPlugin {
  return {
    name: "library",
    setup: (build) => void build.onResolve({ filter: /\/libstreamer_audio\.so$/ }, () => ({ path })),
  };
}

if (import.meta.main) {
  try {
    await buildExecutable();
  } catch (error) {
    // The bundler throws several errors with places; everything else is one sentence.
    console.error(error instanceof AggregateError || !(error instanceof Error) ? error : error.message);
    process.exitCode = 1;
  }
}
