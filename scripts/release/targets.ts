// The machines that releases are for, and what compiles for them.

import { createHash } from "node:crypto";
import { chmod, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import manifest from "../../package.json" with { type: "json" };
import { compile } from "../build.ts";
import { buildConsole } from "../console.ts";
import { readLockFile } from "../lock-file.ts";
import { compileNative } from "../native.ts";
import { root, run } from "./command.ts";

export interface Target {
  /** `OS-PROCESSOR`, as Node.js calls them: part of the names of archives and packages. */
  readonly name: string;
  /** Values of package.json. */
  readonly cpu: string;
  readonly bunTarget: Bun.Build.CompileTarget;
  readonly bunPackage: string;
  /** For the C compiler: the processor, and the oldest C library that the executable runs with. */
  readonly triple: string;
  /** Sources besides those of the C library, absolute paths. */
  readonly sources: readonly string[];
  /** Emulator for other machines, and where Debian has a C library for what it runs. */
  readonly emulator: readonly string[];
}

/** The oldest version of the GNU C library. */
export const GLIBC = "2.28";

/** On x64, Bun needs SSE4.2 and chooses its AVX2 code at run time, as the C library does: one executable for all. */
export const TARGETS: readonly Target[] = [
  {
    name: "linux-x64",
    cpu: "x64",
    bunTarget: "bun-linux-x64",
    bunPackage: "@oven/bun-linux-x64",
    triple: `x86_64-linux-gnu.${GLIBC}`,
    sources: [join(import.meta.dir, "cpu_model.c")],
    emulator: ["qemu-x86_64-static", "-L", "/usr/x86_64-linux-gnu"],
  },
  {
    name: "linux-arm64",
    cpu: "arm64",
    bunTarget: "bun-linux-arm64",
    bunPackage: "@oven/bun-linux-aarch64",
    triple: `aarch64-linux-gnu.${GLIBC}`,
    sources: [],
    emulator: ["qemu-aarch64-static", "-L", "/usr/aarch64-linux-gnu"],
  },
];

/** What has been built for a machine: absolute paths. */
export interface Built {
  readonly target: Target;
  readonly executable: string;
  readonly library: string;
}

/** True when programs for the target run here. */
export function isThisMachine({ name }: Target): boolean {
  return name === `${process.platform}-${process.arch}`;
}

/** Builds the executables. `folder` must be new. */
export async function buildTargets(folder: string): Promise<Built[]> {
  const zig = await zigCompiler();
  await buildConsole();
  const built: Built[] = [];
  for (const target of TARGETS) {
    const library = join(folder, target.name, "libstreamer_audio.so");
    // Without symbols (-s), which would have the paths of this machine.
    await compileNative([zig, "cc", "-target", target.triple, "-s", ...target.sources], library);
    const executable = join(folder, target.name, "streamer");
    const runtime = await bunFor(target);
    await compile(join(root, "src"), executable, { target: target.bunTarget, runtime, library });
    built.push({ target, executable, library });
  }
  return built;
}

const ZIG = "0.17.1";

/** The compiler of Zig, which has the headers of every version of the C library, from PyPI. */
const ZIG_REQUIREMENT =
  `ziglang==${ZIG}` +
  " --hash=sha256:ea6cc5d87b033cf0aedfbc8f9549a908cae6c50ac31f1698188fa48a74524b54" +
  " --hash=sha256:b7c5f02fccd40f89b999ee16a1f5ddced56e6182370f8affe494bcf8a28cf07e\n";

/** The folder of the compiler; it is 100 MB to download and 400 MB installed. */
const zigFolder = join(root, "node_modules", ".cache", `ziglang-${ZIG}`);

/** The licence of the compiler, once executables are built. */
export async function compilerLicence(): Promise<string> {
  return await Bun.file(join(zigFolder, "ziglang", "LICENSE")).text();
}

/** Returns the path of Zig. The first call on a machine installs it. */
async function zigCompiler(): Promise<string> {
  const zig = join(zigFolder, "ziglang", "zig");
  if (await Bun.file(zig).exists()) return zig;
  const folder = `${zigFolder}.${process.pid}`;
  try {
    await mkdir(folder, { recursive: true });
    const list = join(folder, "requirements.txt");
    await writeFile(list, ZIG_REQUIREMENT);
    const pip = ["python3", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"];
    await run([...pip, "--no-deps", "--only-binary=:all:", "--require-hashes", "--target", folder, "-r", list]);
    await rename(folder, zigFolder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return zig;
}

/** Returns the path of Bun for a target: this one, or that of the registry, with the hash of bun.lock. */
async function bunFor(target: Target): Promise<string> {
  if (isThisMachine(target)) return process.execPath;
  const { name, bunPackage } = target;
  const version = manifest.devDependencies.bun;
  const folder = join(root, "node_modules", ".cache", `bun-${version}-${name}`);
  const runtime = join(folder, "package", "bin", "bun");
  if (await Bun.file(runtime).exists()) return runtime;
  const expected = (await readLockFile()).packages.get(bunPackage)?.integrity;
  const fresh = `${folder}.${process.pid}`;
  try {
    await mkdir(fresh, { recursive: true });
    const packed = await run(["npm", "pack", "--silent", `${bunPackage}@${version}`], { cwd: fresh });
    const archive = join(fresh, packed.trim());
    const found = `sha512-${createHash("sha512")
      .update(await Bun.file(archive).bytes())
      .digest("base64")}`;
    if (found !== expected) throw new Error(`${bunPackage}@${version}: found ${found}; bun.lock has ${expected}`);
    await run(["tar", "-xzf", archive], { cwd: fresh });
    await rm(archive);
    await chmod(join(fresh, "package", "bin", "bun"), 0o755);
    await rename(fresh, folder);
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
  return runtime;
}
