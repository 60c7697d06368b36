import { join } from "node:path";

import { withTimeout } from "../wait.ts";
import type { PeersReport } from "./peer-program.ts";

const PROGRAM = join(import.meta.dir, "peer-program.ts");

/** Peers of one kind, in a process of their own. They end when this is disposed. */
export class Peers implements AsyncDisposable {
  readonly #child: Bun.Subprocess<"pipe", "pipe", "inherit">;
  readonly #lines: AsyncIterator<string>;

  /**
   * Starts peers and does not wait.
   * @param kind one of those of `peer-program.ts`
   * @param address `HOST:PORT` of the server
   * @param under a command that starts a program elsewhere, as in another network
   */
  constructor(kind: string, count: number, address: string, under: readonly string[] = []) {
    this.#child = Bun.spawn([...under, process.execPath, PROGRAM, kind, String(count), address], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    });
    this.#lines = linesOf(this.#child.stdout);
  }

  /** Waits until all have done what they do first. Returns how many of them are connected. */
  async up(): Promise<number> {
    return Number((await this.#line()).replace("up ", ""));
  }

  /** Returns what has become of them. */
  async report(): Promise<PeersReport> {
    void this.#child.stdin.write("\n");
    await this.#child.stdin.flush();
    return JSON.parse(await this.#line()) as PeersReport;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
  }

  async #line(): Promise<string> {
    const { value, done } = await withTimeout("a line of the peers", this.#lines.next());
    if (done === true) throw new Error(`the peers ended with ${await this.#child.exited}`);
    return value;
  }
}

async function* linesOf(output: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const part of output) {
    text += decoder.decode(part, { stream: true });
    const lines = text.split("\n");
    text = lines.pop() ?? "";
    yield* lines;
  }
}
