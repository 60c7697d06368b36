import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { buildExecutable } from "../../scripts/build.ts";
import type { Keys } from "./in-process.ts";
import { Peer, type PeerOptions } from "./peer.ts";
import { withTimeout } from "./wait.ts";

/** Longest that building the executable may take. */
export const BUILD_MS = 120_000;

let built: Promise<string> | undefined;

/** The compiled program, alone in a folder of its own that goes when this is disposed. */
export class Program implements AsyncDisposable {
  readonly folder: string;
  readonly path: string;
  readonly #servers: ServeProcess[] = [];

  static async create(): Promise<Program> {
    built ??= buildExecutable();
    const folder = await mkdtemp(join(tmpdir(), "streamer-program-"));
    const path = join(folder, "streamer");
    await copyFile(await built, path);
    return new Program(folder, path);
  }

  private constructor(folder: string, path: string) {
    this.folder = folder;
    this.path = path;
  }

  /** Runs it to its end. */
  async run(
    args: readonly string[],
    options: { env?: Record<string, string>; input?: Uint8Array } = {},
  ): Promise<Ended> {
    const child = this.#spawn(args, options.env, options.input ?? "ignore");
    const [code, out, err] = await withTimeout(
      `the end of ${args.join(" ")}`,
      Promise.all([child.exited, new Response(child.stdout).text(), new Response(child.stderr).text()]),
    );
    return { code, out, err };
  }

  /** Starts a server on a free port and waits until it is ready. */
  async serve(keys: Keys = {}, args: readonly string[] = [], env?: Record<string, string>): Promise<ServeProcess> {
    const server = this.launch(keys, args, env);
    await server.ready();
    return server;
  }

  /** Starts a server and does not wait. */
  launch(keys: Keys = {}, args: readonly string[] = [], env?: Record<string, string>): ServeProcess {
    const sets = Object.entries(keys).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
    const server = new ServeProcess(this.#spawn(["serve", "--port", "0", ...sets, ...args], env, "ignore"));
    this.#servers.push(server);
    return server;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers) await server[Symbol.asyncDispose]();
    await rm(this.folder, { recursive: true });
  }

  #spawn(
    args: readonly string[],
    env: Record<string, string> | undefined,
    stdin: Uint8Array | "ignore",
  ): Bun.Subprocess<"ignore", "pipe", "pipe"> {
    return Bun.spawn([this.path, ...args], {
      cwd: this.folder,
      env: env ?? {},
      stdin: stdin as "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
  }
}

export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A `streamer serve` of its own process. */
export class ServeProcess implements AsyncDisposable {
  /** All of its standard output so far. */
  out = "";
  err = "";
  readonly child: Bun.Subprocess<"ignore", "pipe", "pipe">;
  readonly #read: Promise<unknown>;
  readonly #ready = Promise.withResolvers<void>();
  #port = 0;

  constructor(child: Bun.Subprocess<"ignore", "pipe", "pipe">) {
    this.child = child;
    this.#read = Promise.all([
      collect(child.stdout, (text) => this.#hear(text)),
      collect(child.stderr, (text) => (this.err += text)),
    ]);
    // Who waits for it hears of a failure.
    this.#ready.promise.catch(() => {});
    void child.exited.then((code) => this.#ready.reject(new Error(`the server ended with ${code}: ${this.err}`)));
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async ready(): Promise<void> {
    await withTimeout("the server is ready", this.#ready.promise);
  }

  async connect(options: PeerOptions = {}): Promise<Peer> {
    return await Peer.connect(this.#port, options);
  }

  /** What it logged, a record a line. */
  get log(): Record<string, unknown>[] {
    const lines = this.err.split("\n").filter((line) => line !== "");
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name);
  }

  /** Waits for its end; everything it said is then in `out` and `err`. */
  async ended(): Promise<{ code: number | null; signal: string | null }> {
    await withTimeout(`the end of the server, after ${this.err.slice(-500)}`, this.child.exited);
    await this.#read;
    return { code: this.child.exitCode, signal: this.child.signalCode === null ? null : String(this.child.signalCode) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill("SIGKILL");
    await this.child.exited;
  }

  #hear(text: string): void {
    this.out += text;
    const port = /^listening on http:\/\/127\.0\.0\.1:(\d+)\n/.exec(this.out)?.[1];
    if (port === undefined) return;
    this.#port = Number(port);
    this.#ready.resolve();
  }
}

async function collect(stream: ReadableStream<Uint8Array>, hear: (text: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  for await (const part of stream) hear(decoder.decode(part, { stream: true }));
}
