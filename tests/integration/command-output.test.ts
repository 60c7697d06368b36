import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";

import { type CommandResult, sharedExecutable } from "../support/executable.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const executable = await sharedExecutable();
const server = await executable.serve({ "model.workers": 1, "model.delay": 0 });
const SAMPLE = join(import.meta.dir, "..", "data", "two-speakers-48k.wav");
const ADDR = `localhost:${server.port}`;

/** Runs a command line of the shell in the folder of the executable, with variables for the sample and the address. */
async function sh(command: string, env: Record<string, string> = {}): Promise<CommandResult> {
  const child = Bun.spawn(["sh", "-c", command], {
    cwd: executable.folder,
    env: { PATH: process.env["PATH"] ?? "", SAMPLE, ADDR, ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [code, out, err] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
  return { code, out, err };
}

/** Returns the command lines of all commands, from the help texts. */
async function commandLines(path = ""): Promise<string[]> {
  const { out } = await sh(`./streamer ${path} --help`);
  const [, listed = ""] = out.split("Commands:\n");
  const inner = [...listed.matchAll(/^ {2}([a-z]+) {2}/gm)].map(([, name = ""]) => `${path} ${name}`.trim());
  return [path, ...(await Promise.all(inner.map((each) => commandLines(each)))).flat()];
}

const COMMANDS = await commandLines();

/** Command lines that print something on standard output and end. */
const PRINTING = [
  ...COMMANDS.map((command) => `${command} --help`),
  "--version",
  "serve --print-config",
  "health --addr $ADDR",
  "send -i $SAMPLE --addr $ADDR",
  "send -i $SAMPLE --addr $ADDR --format json",
  "bench --addr $ADDR --streams 1 --seconds 1 --settle 0 --ramp 0",
  "model check levels",
  "token new client",
  // The shell's process, for a new name each time.
  "model init model-$$",
];

test("the help of every command has at most 100 columns, and 80 in a pipe", async () => {
  expect(COMMANDS).toContain("model check");
  for (const command of COMMANDS) {
    const { code, out } = await sh(`./streamer ${command} --help`);
    expect(code).toBe(0);
    expect(out).toContain("Usage: streamer");
    expect([command, out.split("\n").filter((line) => line.length > 80)]).toEqual([command, []]);
  }
});

test.each(PRINTING)("'streamer %s' writes no colours into a pipe", async (command) => {
  const { out, err } = await sh(`./streamer ${command} | cat`, { TERM: "xterm-256color" });
  expect(out).not.toBe("");
  expect(out + err).not.toContain("\u001B");
});

test.each(PRINTING)("'streamer %s' ends with 1 and one sentence if its output cannot be written", async (command) => {
  const { code, err } = await sh(`./streamer ${command} > /dev/full`);
  expect(err).toBe("streamer: cannot write to standard output: ENOSPC: no space left on device, write\n");
  expect(code).toBe(1);
});

test.each(PRINTING)(
  "'streamer %s' ends with 0 and without a message if the reader of its output has gone",
  async (command) => {
    // A pipe whose only reader, the shell itself, is closed before the program starts.
    const { code, err } = await sh(`mkfifo pipe; exec 3<>pipe 4>pipe 3<&-; rm pipe; ./streamer ${command} >&4`);
    expect({ code, err }).toEqual({ code: 0, err: "" });
  },
);

describe("a terminal", () => {
  /** Runs a command on a terminal and returns what it writes. */
  async function onTerminal(args: readonly string[], env: Record<string, string>): Promise<string> {
    const decoder = new TextDecoder();
    let text = "";
    const child = Bun.spawn([executable.path, ...args], {
      cwd: executable.folder,
      env,
      terminal: { cols: 120, rows: 40, data: (_, data) => (text += decoder.decode(data, { stream: true })) },
    });
    await child.exited;
    child.terminal?.close();
    return text;
  }

  const SEND = ["send", "-i", SAMPLE, "--addr", ADDR, "--interim-results"];

  test("has colours, unless NO_COLOR is set", async () => {
    const green = "\u001B[32m";
    expect(await onTerminal(SEND, { TERM: "xterm" })).toContain(green);
    expect(await onTerminal(SEND, { TERM: "xterm", NO_COLOR: "1" })).not.toContain(green);
  });

  test("of the type dumb gets neither colours nor lines that are updated in place", async () => {
    expect(await onTerminal(SEND, { TERM: "dumb" })).not.toContain("\u001B");
  });
});
