import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { example } from "../example-harness.ts";
import { freePort } from "../proxies.ts";
import { pythonPackages } from "../python-packages.ts";
import { waitUntil } from "../wait.ts";

/** A virtual environment with Triton; undefined: it cannot be had, which was printed. */
export async function installTriton(): Promise<string | undefined> {
  return await pythonPackages(await Bun.file(example("remote", "requirements.txt")).text());
}

/** Where Triton's models in Python have their shared memory, whose files remain after SIGKILL. */
const SHARED_MEMORY = "/dev/shm";

export interface TritonOptions {
  /** From `installTriton`. */
  readonly packages: string;
  /** Further options of `tritonserver`. */
  readonly args?: readonly string[];
}

/** Triton with the models of `examples/remote`, as its script starts it. It may be killed, frozen and started again. */
export class Triton implements AsyncDisposable {
  readonly httpPort: number;
  readonly grpcPort: number;
  readonly #options: TritonOptions;
  readonly #folder: string;
  #child: Bun.Subprocess<"ignore", "ignore", Bun.BunFile>;

  /** Starts it and waits until its models are ready. */
  static async start(options: TritonOptions): Promise<Triton> {
    const folder = await mkdtemp(join(tmpdir(), "streamer-triton-"));
    const triton = new Triton(options, folder, [await freePort(), await freePort()]);
    await triton.untilReady();
    return triton;
  }

  private constructor(options: TritonOptions, folder: string, [httpPort, grpcPort]: [number, number]) {
    this.#options = options;
    this.#folder = folder;
    this.httpPort = httpPort;
    this.grpcPort = grpcPort;
    this.#child = this.#spawn();
  }

  get http(): string {
    return `http://127.0.0.1:${this.httpPort}`;
  }

  get grpc(): string {
    return `http://127.0.0.1:${this.grpcPort}`;
  }

  /** Waits until all models are ready. Rejects with the log when Triton has ended. */
  async untilReady(): Promise<void> {
    await waitUntil("Triton to be ready", async () => {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
        const end = this.#child.signalCode ?? this.#child.exitCode;
        throw new Error(`Triton has ended with ${end}: ${await Bun.file(this.#log).text()}`);
      }
      return await this.isReady();
    });
  }

  /** Returns true if all models are ready. */
  async isReady(): Promise<boolean> {
    return await fetch(`${this.http}/v2/health/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  }

  /** Ends it at once, with its models. */
  async kill(): Promise<void> {
    this.#signal("SIGKILL");
    await this.#child.exited;
  }

  /** Starts it again after `kill`, on the same ports. Does not wait until it is ready. */
  restart(): void {
    this.#child = this.#spawn();
  }

  /**
   * Starts it again if it has ended by itself, which Triton 2.51 did once in a hundred stops and continuations. Prints the
   * end of its log then.
   */
  async revive(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) return;
    const log = await Bun.file(this.#log).text();
    console.warn(`Triton has ended (${this.#child.signalCode ?? this.#child.exitCode}): ${log.slice(-500)}`);
    this.restart();
  }

  /** Stops its processor time: connections stay open, and nothing is answered. */
  freeze(): void {
    this.#signal("SIGSTOP");
  }

  thaw(): void {
    this.#signal("SIGCONT");
  }

  /** The statistics of a model: how many requests succeeded, and in how many executions. */
  async statistics(model: string): Promise<{ inferences: number; executions: number }> {
    const { model_stats: [stats] = [] } = (await (await fetch(`${this.http}/v2/models/${model}/stats`)).json()) as {
      model_stats?: { inference_count: number; execution_count: number }[];
    };
    return { inferences: stats?.inference_count ?? 0, executions: stats?.execution_count ?? 0 };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    const left = (await readdir(SHARED_MEMORY)).filter((name) => name.startsWith(this.#prefix));
    for (const name of left) await rm(join(SHARED_MEMORY, name), { force: true });
    await rm(this.#folder, { recursive: true, force: true });
  }

  get #log(): string {
    return join(this.#folder, "log.txt");
  }

  get #prefix(): string {
    return `streamer_${process.pid}_${this.httpPort}_`;
  }

  #spawn(): Bun.Subprocess<"ignore", "ignore", Bun.BunFile> {
    const { packages, args = [] } = this.#options;
    const ports = [`--http-port=${this.httpPort}`, `--grpc-port=${this.grpcPort}`];
    const memory = `--backend-config=python,shm-region-prefix-name=${this.#prefix}`;
    // A group of its own, which the processes of the models are in.
    return Bun.spawn(["setsid", example("remote", "triton.sh"), ...ports, memory, ...args], {
      env: { ...process.env, TRITON_VENV: packages },
      stdin: "ignore",
      stdout: "ignore",
      stderr: Bun.file(this.#log),
    });
  }

  #signal(signal: NodeJS.Signals): void {
    try {
      process.kill(-this.#child.pid, signal);
    } catch {
      // All of the group have ended.
    }
  }
}
