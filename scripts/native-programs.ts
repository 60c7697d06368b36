// Compiles the tests and the fuzz targets of the C library, each source once for a set of flags.

import { mkdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";

import { isNewer, nativeHeaders, warningFlags } from "./native.ts";

export interface Ran {
  readonly passed: boolean;
  /** The command line and its output. */
  readonly report: string;
}

/** Runs a command. */
export async function run(command: readonly string[]): Promise<Ran> {
  const child = Bun.spawn([...command], { stdout: "pipe", stderr: "pipe" });
  const [code, output, errors] = await Promise.all([
    child.exited,
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { passed: code === 0, report: `${command.join(" ")}\n${output}${errors}exit ${code}` };
}

/** A compiler with flags, and the folder for its output. */
export class Toolchain {
  readonly folder: string;
  readonly #command: readonly string[];

  constructor(folder: string, compiler: readonly string[], flags: readonly string[]) {
    this.folder = folder;
    this.#command = [...compiler, ...warningFlags, "-g", "-O2", "-ffp-contract=off", "-pthread", ...flags];
    mkdirSync(folder, { recursive: true });
  }

  /**
   * Object files of C sources. Those that are older than their source or a header are compiled. Throws the output of
   * the compiler.
   */
  async objects(sources: readonly string[]): Promise<string[]> {
    return await Promise.all(
      sources.map(async (source) => {
        // The folder is part of the name, because a fuzz target has the name of the source that it tests.
        const object = join(this.folder, `${basename(dirname(source))}-${basename(source, ".c")}.o`);
        if (!isNewer(object, [source, ...nativeHeaders()])) await this.#make(["-c", "-o", object, source]);
        return object;
      }),
    );
  }

  /** Links a program. Returns its path. */
  async program(name: string, objects: readonly string[], ...flags: string[]): Promise<string> {
    const path = join(this.folder, name);
    if (!isNewer(path, objects)) await this.#make([...flags, "-o", path, ...objects, "-lm"]);
    return path;
  }

  /** True when a program with this source can be built and, with `running`, run. */
  async works(source: string, running: boolean): Promise<boolean> {
    const probe = join(this.folder, "probe.c");
    await Bun.write(probe, source);
    const path = join(this.folder, "probe");
    const built = await run([...this.#command, "-o", path, probe]);
    return built.passed && (!running || (await run([path])).passed);
  }

  async #make(rest: readonly string[]): Promise<void> {
    const made = await run([...this.#command, ...rest]);
    if (!made.passed) throw new Error(made.report);
  }
}
