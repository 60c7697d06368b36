// Builds the C library: `bun scripts/native.ts`, or `buildNative()` from other scripts.

import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

const root = resolve(import.meta.dir, "..");
export const nativeFolder = join(root, "native");
export const nativeLibrary = join(nativeFolder, "build", "libstreamer_audio.so");

/**
 * Warnings are errors. Contraction (a * b + c with one rounding) is off, so that all processors compute the same bits.
 */
export const warningFlags = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"];
const flags = [
  ...warningFlags,
  "-O3",
  "-ffp-contract=off",
  "-fvisibility=hidden",
  "-fPIC",
  "-shared",
  "-pthread",
  "-Wl,-z,defs",
];

const noCompiler =
  "No C compiler was found (CC, cc, gcc and clang were tried): install one, on Debian and Ubuntu with " +
  "`apt-get install gcc libc6-dev`.";

/** The C sources of the library, absolute paths. */
export function nativeSources(): string[] {
  return readdirSync(nativeFolder)
    .filter((name) => name.endsWith(".c"))
    .sort()
    .map((name) => join(nativeFolder, name));
}

/** The command of the C compiler: CC, or the first of cc, gcc and clang. Throws a sentence when there is none. */
export function compiler(environment: Readonly<Record<string, string | undefined>> = process.env): string[] {
  const path = { PATH: environment["PATH"] ?? "" };
  const chosen = (environment["CC"] ?? "").split(/\s+/).filter((word) => word !== "");
  const candidates = chosen.length > 0 ? [chosen] : [["cc"], ["gcc"], ["clang"]];
  for (const command of candidates) if (Bun.which(command[0] ?? "", path)) return command;
  throw new Error(chosen.length > 0 ? `The C compiler named by CC, ${chosen.join(" ")}, was not found.` : noCompiler);
}

/** The headers of the library and of its tests, absolute paths. */
export function nativeHeaders(): string[] {
  return ["", "tests", "fuzz"]
    .map((folder) => join(nativeFolder, folder))
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)))
    .filter((path) => path.endsWith(".h"));
}

/** Whether `output` exists and is newer than all of `inputs`. */
export function isNewer(output: string, inputs: readonly string[]): boolean {
  if (!existsSync(output)) return false;
  const built = statSync(output).mtimeMs;
  return inputs.every((input) => statSync(input).mtimeMs < built);
}

/**
 * Builds native/build/libstreamer_audio.so when a source is newer. Throws a sentence with the errors of the compiler.
 */
export async function buildNative(): Promise<void> {
  if (isNewer(nativeLibrary, [...nativeSources(), ...nativeHeaders(), import.meta.path])) return;
  await compileNative(compiler(), nativeLibrary);
}

/**
 * Compiles the library. Throws a sentence with the errors of the compiler.
 * @param command the C compiler, and arguments of its own
 */
export async function compileNative(command: readonly string[], output: string): Promise<void> {
  mkdirSync(dirname(output), { recursive: true });
  // Written to a file of its own and renamed, so that processes with the old library open keep it, and concurrent
  // builds do not collide.
  const fresh = `${output}.${process.pid}`;
  try {
    const child = Bun.spawn([...command, ...flags, "-o", fresh, ...nativeSources(), "-lm"], {
      stdout: "pipe",
      stderr: "pipe",
    });
    const [code, errors] = await Promise.all([child.exited, new Response(child.stderr).text()]);
    if (code !== 0) throw new Error(`The C library does not compile:\n${errors}`);
    renameSync(fresh, output);
  } finally {
    rmSync(fresh, { force: true });
  }
}

if (import.meta.main) {
  try {
    await buildNative();
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}
