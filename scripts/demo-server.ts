// A server in a process of its own, for the demo.

/** Longest time until a server listens: its models are loaded by then. */
const START_TIMEOUT_MS = 180_000;
const STOP_TIMEOUT_MS = 15_000;
/** Lines of the log that are kept: the last ones. */
const LOG_LINES = 20;

const LISTENING = /^listening on http:\/\/(\S+)$/;

type Child = Bun.Subprocess<"ignore", "pipe", "pipe">;

/** The server did not start, or did not stop well. The message has the end of its log. */
export class ServerFault extends Error {
  /** The model could not be loaded. */
  get isOfModel(): boolean {
    return this.message.includes("cannot be loaded");
  }
}

export class DemoServer implements AsyncDisposable {
  static readonly #running = new Set<Child>();

  readonly #child: Child;
  readonly #log: string[] = [];
  readonly #logging: Promise<void>;
  #address = "";

  /** Starts `./streamer serve` on a free port and waits until it listens. Rejects with ServerFault, or the reason of `signal`. */
  static async start(
    executable: string,
    args: readonly string[],
    cwd: string,
    signal: AbortSignal,
  ): Promise<DemoServer> {
    signal.throwIfAborted();
    const server = new DemoServer(executable, args, cwd);
    const abort = (): void => server.#child.kill("SIGTERM");
    signal.addEventListener("abort", abort);
    try {
      await server.#listen();
      signal.throwIfAborted();
      return server;
    } catch (error) {
      await server.kill();
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  /** Ends all servers of this process at once. */
  static killAll(): void {
    for (const child of DemoServer.#running) child.kill("SIGKILL");
  }

  private constructor(executable: string, args: readonly string[], cwd: string) {
    this.#child = Bun.spawn([executable, "serve", "--port", "0", ...args], {
      cwd,
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      // Ctrl-C does not reach it: the client gets the results of what it has sent, then the demo stops the server.
      detached: true,
    });
    DemoServer.#running.add(this.#child);
    void this.#child.exited.then(() => DemoServer.#running.delete(this.#child));
    this.#logging = this.#keepLog();
  }

  /** Host and port. */
  get address(): string {
    return this.#address;
  }

  /** Shuts the server down. Rejects with ServerFault. */
  async stop(): Promise<void> {
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), STOP_TIMEOUT_MS);
    this.#child.kill("SIGTERM");
    await this.#child.exited;
    clearTimeout(timer);
    if (this.#child.exitCode !== 0) throw await this.#fault("the server did not stop well");
  }

  /** Ends the server at once. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
  }

  /** Returns the last lines of the log, once the server has ended. */
  async log(): Promise<string> {
    await this.#logging;
    return this.#log.join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  async #listen(): Promise<void> {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.#child.kill("SIGKILL");
    }, START_TIMEOUT_MS);
    try {
      for await (const line of linesOf(this.#child.stdout)) {
        const [, address] = LISTENING.exec(line) ?? [];
        if (address === undefined) continue;
        this.#address = address;
        return;
      }
    } finally {
      clearTimeout(timer);
    }
    throw await this.#fault(
      isLate ? `the server was not ready within ${START_TIMEOUT_MS / 1000} s` : "the server ended",
    );
  }

  async #fault(what: string): Promise<ServerFault> {
    await this.#child.exited;
    const { signalCode, exitCode } = this.#child;
    const log = await this.log();
    return new ServerFault(`${what} (${signalCode ?? `exit code ${exitCode}`})${log === "" ? "" : `:\n${log}`}`);
  }

  async #keepLog(): Promise<void> {
    for await (const line of linesOf(this.#child.stderr)) {
      this.#log.push(line);
      if (this.#log.length > LOG_LINES) this.#log.shift();
    }
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const bytes of stream) {
    const lines = (text + decoder.decode(bytes, { stream: true })).split("\n");
    text = lines.pop() ?? "";
    yield* lines;
  }
  if (text !== "") yield text;
}
