import { expect, setDefaultTimeout, test } from "bun:test";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";

import { sharedExecutable } from "../support/executable.ts";
import { TerminalView } from "../support/terminal-view.ts";
import { waitUntil } from "../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

/** In the folder of the executable: a path is not broken, and that of the project may be long. */
const SAMPLE = "sample.wav";
const executable = await sharedExecutable();
await copyFile(join(import.meta.dir, "..", "data", "two-speakers-48k.wav"), join(executable.folder, SAMPLE));
const server = await executable.serve({ "model.workers": 2, "model.delay": 0 });

/** `streamer send` on a terminal. */
class SendTerminal implements AsyncDisposable {
  readonly child: Bun.Subprocess;
  readonly #view: TerminalView;
  #drawn = Promise.resolve();

  constructor(columns: number, ...args: string[]) {
    this.#view = new TerminalView(columns, 40);
    const command = [executable.path, "send", "-i", SAMPLE, "--addr", `127.0.0.1:${server.port}`, ...args];
    this.child = Bun.spawn(command, {
      cwd: executable.folder,
      // The emulator is xterm.js.
      env: { TERM: "xterm-256color", TERM_PROGRAM: "vscode", NO_COLOR: "1" },
      terminal: {
        cols: columns,
        rows: 40,
        data: (_, data) => {
          this.#drawn = this.#drawn.then(() => this.#view.write(data.slice()));
        },
      },
    });
  }

  /** The lines that the terminal shows. */
  get lines(): string[] {
    return this.#view.lines;
  }

  async waitForLine(pattern: RegExp): Promise<void> {
    await waitUntil(`a line like ${pattern}`, () => this.lines.some((line) => pattern.test(line)));
  }

  resize(columns: number): void {
    this.#view.resize(columns);
    this.child.terminal?.resize(columns, 40);
  }

  async ended(): Promise<string[]> {
    await this.child.exited;
    await this.#drawn;
    return this.lines;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill("SIGKILL");
    await this.child.exited;
    this.child.terminal?.close();
  }
}

test("a clock runs between utterances while audio is sent in real time, and is removed at the end", async () => {
  await using terminal = new SendTerminal(100, "--real-time");
  // Nobody speaks from 0 s to 1.2 s, and from 4.15 s to 5.6 s.
  await terminal.waitForLine(/^\[#*\.*\] \d+ % {2}0:00 of 0:18 sent$/);
  await terminal.waitForLine(/0:01 of 0:18 sent$/);
  await terminal.waitForLine(/speech ends/);
  await terminal.waitForLine(/0:05 of 0:18 sent$/);
  terminal.child.kill("SIGINT");
  const lines = await terminal.ended();
  expect(lines.join("\n")).toContain("the ledger adds up");
  expect(lines.join("\n")).not.toContain("of 0:18 sent");
});

test("no interim result and no clock stays behind when the width of the terminal changes", async () => {
  await using terminal = new SendTerminal(100, "--real-time", "--interim-results");
  await terminal.waitForLine(/^\[1\] .* interim count/);
  terminal.resize(50);
  await terminal.waitForLine(/^\[1\] .* final/);
  terminal.resize(30);
  await terminal.waitForLine(/^\[0\] 5\.59 speech begins/);
  terminal.resize(90);
  await terminal.waitForLine(/6\.36 +speech begins/);
  terminal.child.kill("SIGINT");
  const text = (await terminal.ended()).join("\n");
  expect(text.match(/interim count|of 0:18/g)).toBeNull();
  expect(text.match(/^\[\d\] .*final/gm)?.length).toBeGreaterThanOrEqual(2);
});

test("the report is broken at spaces on a narrow terminal", async () => {
  await using terminal = new SendTerminal(60);
  const lines = await terminal.ended();
  expect(lines.filter((line) => line.length > 59)).toEqual([]);
  expect(lines.slice(-2)).toEqual([
    "result      7 final results, 0 errors; the ledger adds up:",
    "            every sample that was sent is accounted for",
  ]);
});
