import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { hostFor } from "../../src/pool/host-for.ts";
import type { StartHost } from "../../src/pool/worker-host.ts";
import { modelCommand, workerUrl } from "./pool-harness.ts";
import { python as interpreter } from "./python.ts";
import { testWith } from "./requirements.ts";

/** `test`, if there is an interpreter of Python. */
export const testWithPython = testWith(interpreter);

/** Runs models in Python as a server does. What they print goes to standard error. */
export function pythonHost(model: string, python = "auto", env: Readonly<Record<string, string>> = {}): StartHost {
  const hosted = { name: model, isolation: "process", python, env } as const;
  return hostFor(hosted, { workerUrl, modelCommand }, ({ text }) => void process.stderr.write(`${text}\n`));
}

/** A virtual environment `.venv` in a folder, without any package. */
export class BarePython implements AsyncDisposable {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** @param given by default, a new folder */
  static async create(given?: string): Promise<BarePython> {
    const folder = given ?? (await mkdtemp(join(tmpdir(), "streamer-python-")));
    const child = Bun.spawn([interpreter ?? "python3", "-m", "venv", "--without-pip", join(folder, ".venv")], {
      stderr: "pipe",
    });
    const [code, err] = await Promise.all([child.exited, child.stderr.text()]);
    if (code !== 0) throw new Error(`python3 -m venv ended with ${code}: ${err}`);
    return new BarePython(folder);
  }

  /** Path of the interpreter. */
  get python(): string {
    return join(this.folder, ".venv", "bin", "python");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}
