import { afterAll } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { buildExecutable } from "../../scripts/build.ts";
import type { ServerEvent } from "../../src/protocol/events.ts";
import { ADMIT_ALL, type Settings } from "./in-process-server.ts";
import { withTimeout } from "./wait.ts";
import { type ConnectOptions, WebSocketClient } from "./websocket-client.ts";

/** Longest that building the executable may take. */
export const BUILD_MS = 300_000;

/** Environment variables of a process. */
type Environment = Readonly<Record<string, string>>;

interface RunOptions {
  readonly env?: Environment;
  readonly input?: Uint8Array | "ignore";
  /** A command that starts the program, such as `prlimit --nofile=64`. */
  readonly under?: readonly string[];
}

type Child = Bun.Subprocess<"ignore", "pipe", "pipe">;

export interface CommandResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

let built: Promise<string> | undefined;

/** `./streamer`, alone in a temporary folder, which is removed when this is disposed. */
export class Executable implements AsyncDisposable {
  readonly folder: string;
  readonly path: string;
  readonly #servers: ServeProcess[] = [];

  /** Builds the executable, once in a process, and copies it to a new folder. */
  static async create(): Promise<Executable> {
    built ??= buildExecutable();
    const folder = await mkdtemp(join(tmpdir(), "streamer-executable-"));
    const path = join(folder, "streamer");
    await copyFile(await built, path);
    return new Executable(folder, path);
  }

  private constructor(folder: string, path: string) {
    this.folder = folder;
    this.path = path;
  }

  /** Runs a command in the folder and waits until it exits. */
  async run(args: readonly string[], options: RunOptions = {}): Promise<CommandResult> {
    const child = this.#spawn(args, options);
    const [code, out, err] = await withTimeout(
      `the exit of ${args.join(" ")}`,
      Promise.all([child.exited, new Response(child.stdout).text(), new Response(child.stderr).text()]),
    );
    return { code, out, err };
  }

  /** Starts a server on a free port and waits until it is ready. */
  async serve(...given: Parameters<Executable["launch"]>): Promise<ServeProcess> {
    const server = this.launch(...given);
    await server.waitUntilReady();
    return server;
  }

  /**
   * Starts a server on a free port and does not wait.
   * @param under a command that starts the program, such as `prlimit --nofile=64`
   */
  launch(
    settings: Settings = {},
    args: readonly string[] = [],
    env: Environment = {},
    under: readonly string[] = [],
  ): ServeProcess {
    const all = Object.entries({ ...ADMIT_ALL, ...settings });
    const sets = all.flatMap(([key, value]) => ["--set", `${key}=${value}`]);
    const server = new ServeProcess(this.#spawn(["serve", "--port", "0", ...sets, ...args], { env, under }));
    this.#servers.push(server);
    return server;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers) await server[Symbol.asyncDispose]();
    await rm(this.folder, { recursive: true });
  }

  #spawn(args: readonly string[], { env = {}, input = "ignore", under = [] }: RunOptions): Child {
    return Bun.spawn([...under, this.path, ...args], {
      cwd: this.folder,
      env,
      stdin: input as "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
  }
}

/** Creates one executable for all tests of the calling file. It is removed after them. */
export async function sharedExecutable(): Promise<Executable> {
  const executable = await Executable.create();
  afterAll(() => executable[Symbol.asyncDispose]());
  return executable;
}

/** Parses the events that `streamer send --format json` prints, one per line. */
export function parseEvents(output: string): ServerEvent[] {
  const lines = output.trim().split("\n");
  return lines.map((line) => JSON.parse(line) as ServerEvent);
}

/** A process that runs `streamer serve`. */
export class ServeProcess implements AsyncDisposable {
  /** Standard output so far. */
  out = "";
  /** Standard error so far. */
  err = "";
  readonly #child: Child;
  readonly #outputRead: Promise<unknown>;
  readonly #ready = Promise.withResolvers<void>();
  #port = 0;
  #scheme = "http";

  constructor(child: Child) {
    this.#child = child;
    this.#outputRead = Promise.all([
      readText(child.stdout, (text) => this.#readOutput(text)),
      readText(child.stderr, (text) => (this.err += text)),
    ]);
    // A failed start is reported by waitUntilReady, which may not be called.
    this.#ready.promise.catch(() => {});
    void child.exited.then((code) => this.#ready.reject(new Error(`the server exited with ${code}: ${this.err}`)));
  }

  get pid(): number {
    return this.#child.pid;
  }

  get port(): number {
    return this.#port;
  }

  /** Resident memory, in MiB. */
  get rssMib(): number {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.pid}/status`, "utf8"))?.[1]) / 1024;
  }

  /** Numbers of threads and of open file descriptors. */
  get handles(): { readonly threads: number; readonly descriptors: number } {
    const count = (folder: string): number => readdirSync(`/proc/${this.pid}/${folder}`).length;
    return { threads: count("task"), descriptors: count("fd") };
  }

  get url(): string {
    return `${this.#scheme}://127.0.0.1:${this.#port}`;
  }

  /** Waits until the server listens and its models are loaded. Rejects when it exits first. */
  async waitUntilReady(): Promise<void> {
    await withTimeout("the server to be ready", this.#ready.promise);
  }

  /** The process has ended. */
  get exited(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  async connect(options: ConnectOptions = {}): Promise<WebSocketClient> {
    return await WebSocketClient.connect(this.#port, options);
  }

  /** The records of a JSON log. */
  get log(): Record<string, unknown>[] {
    const lines = this.err.split("\n").filter((line) => line !== "");
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Waits until the process has exited and all of its output is in `out` and `err`. */
  async waitForExit(): Promise<{ code: number | null; signal: string | null }> {
    await withTimeout(`the exit of the server, after ${this.err.slice(-500)}`, this.#child.exited);
    await this.#outputRead;
    const { exitCode, signalCode } = this.#child;
    return { code: exitCode, signal: signalCode === null ? null : String(signalCode) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
  }

  #readOutput(text: string): void {
    this.out += text;
    const [, scheme, port] = /^listening on (https?):\/\/\S+:(\d+)\n/.exec(this.out) ?? [];
    if (scheme === undefined || port === undefined) return;
    this.#scheme = scheme;
    this.#port = Number(port);
    this.#ready.resolve();
  }
}

async function readText(stream: ReadableStream<Uint8Array>, append: (text: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  for await (const part of stream) append(decoder.decode(part, { stream: true }));
}
