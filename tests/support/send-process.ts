import type { CommandResult, Executable } from "./executable.ts";
import { waitForHandler } from "./signal-handlers.ts";

/** A process that runs `streamer send`. */
export class SendProcess implements AsyncDisposable {
  readonly child: Bun.Subprocess<"ignore" | "pipe", "pipe", "pipe">;
  /** Standard output so far. */
  out = "";
  /** Standard error so far. */
  err = "";
  readonly #read: Promise<unknown>;

  /** @param env its environment */
  constructor(
    executable: Executable,
    args: readonly string[],
    stdin: "ignore" | "pipe" = "ignore",
    env: Readonly<Record<string, string>> = {},
  ) {
    this.child = Bun.spawn([executable.path, "send", ...args], {
      cwd: executable.folder,
      env,
      stdin,
      stdout: "pipe",
      stderr: "pipe",
    });
    this.#read = Promise.all([this.#readAll("out"), this.#readAll("err")]);
  }

  /** Sends a signal when the command handles it. */
  async signal(name: NodeJS.Signals): Promise<void> {
    await waitForHandler(this.child.pid, name);
    this.child.kill(name);
  }

  /** Waits until the process has exited. */
  async result(): Promise<CommandResult> {
    const code = await this.child.exited;
    await this.#read;
    return { code, out: this.out, err: this.err };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill("SIGKILL");
    await this.child.exited;
  }

  async #readAll(name: "out" | "err"): Promise<void> {
    const decoder = new TextDecoder();
    const stream = name === "out" ? this.child.stdout : this.child.stderr;
    for await (const part of stream) this[name] += decoder.decode(part, { stream: true });
  }
}
