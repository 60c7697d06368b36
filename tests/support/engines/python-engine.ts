import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { freePort } from "../proxies.ts";
import { pythonPackages } from "../python-packages.ts";
import { waitUntil } from "../wait.ts";

/** An engine in Python, from PyPI. */
export interface EngineProgram {
  /** `NAME==VERSION` */
  readonly requirement: string;
  /** Command line and variables. @param bin folder with the programs of the environment */
  readonly command: (bin: string, ports: EnginePorts) => readonly string[];
  readonly env: (ports: EnginePorts) => Readonly<Record<string, string>>;
  readonly folder: string;
}

export interface EnginePorts {
  readonly http: number;
  readonly grpc: number;
  readonly metrics: number;
}

export const ENGINES: Readonly<Record<string, EngineProgram>> = {
  MLServer: {
    requirement: "mlserver==1.7.1",
    folder: join(import.meta.dir, "mlserver"),
    command: (bin) => [join(bin, "mlserver"), "start", "."],
    env: ({ http, grpc, metrics }) => ({
      MLSERVER_HOST: "127.0.0.1",
      MLSERVER_HTTP_PORT: String(http),
      MLSERVER_GRPC_PORT: String(grpc),
      MLSERVER_METRICS_PORT: String(metrics),
      // Models run in its own process.
      MLSERVER_PARALLEL_WORKERS: "0",
      PYTHONPATH: ".",
    }),
  },
  KServe: {
    requirement: "kserve==0.21.0",
    folder: join(import.meta.dir, "kserve"),
    command: (bin, { http, grpc }) => [join(bin, "python"), "serve.py", `--http_port=${http}`, `--grpc_port=${grpc}`],
    env: () => ({}),
  },
};

/** Installs an engine. Returns its environment; undefined: it cannot be had, which was printed. */
export async function installEngine({ requirement }: EngineProgram): Promise<string | undefined> {
  return await pythonPackages(`${requirement}\n`, true);
}

/** A running engine. */
export class PythonEngine implements AsyncDisposable {
  readonly ports: EnginePorts;
  readonly #child: Bun.Subprocess;
  readonly #scratch: string;

  /** @param packages from `installEngine` */
  static async start(program: EngineProgram, packages: string): Promise<PythonEngine> {
    const ports = { http: await freePort(), grpc: await freePort(), metrics: await freePort() };
    const engine = new PythonEngine(program, packages, ports, await mkdtemp(join(tmpdir(), "streamer-engine-")));
    await engine.#untilReady();
    return engine;
  }

  private constructor(program: EngineProgram, packages: string, ports: EnginePorts, scratch: string) {
    this.ports = ports;
    this.#scratch = scratch;
    const log = Bun.file(join(scratch, "log.txt"));
    this.#child = Bun.spawn([...program.command(join(packages, "bin"), ports)], {
      cwd: program.folder,
      env: { ...process.env, PYTHONDONTWRITEBYTECODE: "1", ...program.env(ports) },
      stdin: "ignore",
      stdout: log,
      stderr: log,
    });
  }

  get http(): string {
    return `http://127.0.0.1:${this.ports.http}`;
  }

  get grpc(): string {
    return `http://127.0.0.1:${this.ports.grpc}`;
  }

  async #untilReady(): Promise<void> {
    await waitUntil("the engine to be ready", async () => {
      if (this.#child.exitCode !== null) {
        const log = await Bun.file(join(this.#scratch, "log.txt")).text();
        throw new Error(`the engine has ended with ${this.#child.exitCode}: ${log.slice(-2_000)}`);
      }
      return await fetch(`${this.http}/v2/models/loudness_stream/ready`).then(
        ({ ok }) => ok,
        () => false,
      );
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
    await rm(this.#scratch, { recursive: true, force: true });
  }
}
