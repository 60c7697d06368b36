// Installs the packages of an example into its folder, with the Bun that runs this.

import { createHash } from "node:crypto";
import { mkdtempDisposable, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { downloadEnvironment } from "./download-environment.mjs";

/** Longest installation. At 200 kB/s, 60 MB take five minutes. */
const INSTALL_TIMEOUT_MS = 300_000;
type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Where packages come from. `kept`: what is installed already, completed from the shared cache and the registry; `cache`:
 * anew from the shared cache and the registry; `registry`: anew from the registry alone, since a cache can be damaged.
 */
export const PACKAGE_SOURCES = ["kept", "cache", "registry"] as const;

/** The packages of one example: those of its lock file, in its own `node_modules`. */
export class ExamplePackages {
  readonly #folder: string;
  readonly #environment: () => Environment;
  readonly #modules: string;
  /** Has the hash of what is installed, and is written when that is complete. */
  readonly #stamp: string;

  /** `environment` returns that of the installer. */
  constructor(folder: string, environment: () => Environment = downloadEnvironment) {
    this.#folder = folder;
    this.#environment = environment;
    this.#modules = join(folder, "node_modules");
    this.#stamp = join(this.#modules, ".installed");
  }

  /**
   * Installs the packages, unless all of them are kept: then nothing is asked of the registry. Returns what went wrong.
   * Rejects with the reason of `signal`.
   * @param onInstall called before anything is installed
   */
  async install(
    source: (typeof PACKAGE_SOURCES)[number],
    signal: AbortSignal,
    onInstall: () => void,
  ): Promise<string | undefined> {
    const wanted = await this.#wanted();
    if (source === "kept" && (await this.#isComplete(wanted))) return undefined;
    onInstall();
    try {
      if (source !== "kept") await rm(this.#modules, { recursive: true, force: true });
      const env = this.#environment();
      if (source !== "registry") await this.#run(env, signal);
      else {
        await using cache = await mkdtempDisposable(join(tmpdir(), "streamer-packages-"));
        await this.#run({ ...env, BUN_INSTALL_CACHE_DIR: cache.path }, signal);
      }
    } catch (error) {
      signal.throwIfAborted();
      return (error as Error).message;
    }
    // A folder that is complete and cannot be written is seen to be complete by the installer.
    await Bun.write(this.#stamp, wanted).catch(() => undefined);
    return undefined;
  }

  async #isComplete(wanted: string): Promise<boolean> {
    return (
      (await Bun.file(this.#stamp)
        .text()
        .catch(() => "")) === wanted
    );
  }

  async #wanted(): Promise<string> {
    const hash = createHash("sha256").update(`${process.platform} ${process.arch}\n`);
    for (const name of ["package.json", "bun.lock"]) hash.update(await Bun.file(join(this.#folder, name)).bytes());
    return hash.digest("hex");
  }

  /** Runs the installer. Throws its error. */
  async #run(env: Environment, signal: AbortSignal): Promise<void> {
    const timeout = AbortSignal.timeout(INSTALL_TIMEOUT_MS);
    // Scripts of packages are not run: none of those that are needed has one.
    const installer = Bun.spawn([process.execPath, "install", "--frozen-lockfile", "--ignore-scripts"], {
      cwd: this.#folder,
      env: { ...env, NO_COLOR: "1" },
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
      signal: AbortSignal.any([signal, timeout]),
      killSignal: "SIGKILL",
    });
    const [code, log] = await Promise.all([installer.exited, new Response(installer.stderr).text()]);
    if (code === 0) return;
    if (timeout.aborted) throw new Error(`it took longer than ${INSTALL_TIMEOUT_MS / 60_000} minutes`);
    throw new Error(lastError(log) ?? `bun install ended with ${installer.signalCode ?? `exit code ${code}`}`);
  }
}

/** Returns the last error in the log of an installation, or else its last line. */
function lastError(log: string): string | undefined {
  const lines = log
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  return (
    lines
      .findLast((line) => line.startsWith("error:"))
      ?.slice("error:".length)
      .trim() ?? lines.at(-1)
  );
}
