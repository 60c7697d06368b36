// Compiles the C library's tests and fuzz targets, each source once for a set of flags.
import { mkdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";

import { isNewer, nativeHeaders, warningFlags } from "./native.ts";

export interface Ran {
  readonly passed: boolean;
  /** The command and what it said: enough to repeat it. */
  readonly report: string;
}

/** Runs a command to its end. */
export async function run(command: readonly string[]): Promise<Ran> {
  const child = Bun.spawn([...command], { stdout: "pipe", stderr: "pipe" });
  const [code, output, errors] = await Promise.all([
    child.exited,
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { passed: code === 0, report: `${command.join(" ")}\n${output}${errors}exit ${code}` };
}

/** A compiler with flags, and the folder for what it makes. */
export class Toolchain {
  readonly folder: string;
  readonly #command: readonly string[];

  constructor(folder: string, compiler: readonly string[], flags: readonly string[]) {
    this.folder = folder;
    this.#command = [...compiler, ...warningFlags, "-g", "-O2", "-ffp-contract=off", "-pthread", ...flags];
    mkdirSync(folder, { recursive: true });
  }

  /** Object files of C sources, compiled at once where one is older than its source or a header. Throws what the compiler says. */
  async objects(sources: readonly string[]): Promise<string[]> {
    return await Promise.all(
      sources.map(async (source) => {
        // Named with its folder: a fuzz target has the name of the library's file that it tries.
        const object = join(this.folder, `${basename(dirname(source))}-${basename(source, ".c")}.o`);
        if (!isNewer(object, [source, ...nativeHeaders()])) await this.#make(["-c", "-o", object, source]);
        return object;
      }),
    );
  }

  /** A program of object files. */
  async program(name: string, objects: readonly string[], ...flags: string[]): Promise<string> {
    const path = join(this.folder, name);
    if (!isNewer(path, objects)) await this.#make([...flags, "-o", path, ...objects, "-lm"]);
    return path;
  }

  /** Whether a program of this source can be built, and run when `running`. */
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
