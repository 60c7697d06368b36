import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { closeSync, constants, openSync, readSync } from "node:fs";
import { join } from "node:path";

import { OUTPUT_BUFFER_BYTES } from "../../src/telemetry/log/line-output.ts";
import { encode, noise } from "../support/audio.ts";
import { sharedExecutable } from "../support/executable.ts";
import { waitUntil } from "../support/wait.ts";
import { WebSocketClient } from "../support/websocket-client.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const executable = await sharedExecutable();

const INSTANT = { "model.workers": 1, "model.delay": 0, "model.warmup_penalty": 1 };

/** A pipe with a name, and its reader. */
class Pipe implements Disposable {
  readonly path: string;
  #fd: number | undefined;

  constructor(name: string) {
    this.path = join(executable.folder, name);
    Bun.spawnSync(["mkfifo", this.path]);
    this.#fd = openSync(this.path, constants.O_RDONLY | constants.O_NONBLOCK);
  }

  /** A command that starts another one with one of its outputs in this pipe. */
  as(output: "1" | "2"): string[] {
    return ["sh", "-c", `exec "$@" ${output}>"$0"`, this.path];
  }

  /** Reads what is there. */
  read(): string {
    const buffer = Buffer.alloc(65_536);
    let text = "";
    try {
      for (;;) {
        const length = readSync(this.#fd ?? -1, buffer);
        if (length === 0) return text;
        text += buffer.toString("utf8", 0, length);
      }
    } catch {
      return text;
    }
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Sends half a second of audio and waits for its result. */
async function expectResult(port: number): Promise<void> {
  using client = await WebSocketClient.connect(port, { path: "/api/v1/simple" });
  client.start();
  await client.sendAudio(encode("s16", noise(0.5)));
  await client.nextEvent("segment");
}

/** Opens and closes sessions; each makes two lines of a debug log. */
async function makeLines(port: number, sessions: number): Promise<void> {
  for (let n = 0; n < sessions; n += 50) {
    const clients = await Promise.all(
      Array.from({ length: 50 }, () => WebSocketClient.connect(port, { path: "/api/v1/simple" })),
    );
    for (const client of clients) client[Symbol.dispose]();
  }
}

describe("a server whose output has no reader any more", () => {
  test("goes on without standard output, and logs that once", async () => {
    using pipe = new Pipe("stdout");
    pipe.close();
    const server = executable.launch(INSTANT, [], {}, [
      "sh",
      "-c",
      // Opened for reading and writing, then only the writer is left.
      `exec 3<>"$0" && exec "$@" 1>"$0" 3<&-`,
      pipe.path,
    ]);
    await waitUntil("the record", () => server.log.some(({ event }) => event === "output_failed"));
    const records = server.log.filter(({ event }) => event === "output_failed");
    expect(records).toMatchObject([{ level: "warning", output: "standard output", reason: "EPIPE" }]);
    const url = String(server.log.find(({ event }) => event === "ready")?.["url"]);
    await expectResult(Number(new URL(url).port));
    server.signal("SIGTERM");
    expect(await server.waitForExit()).toEqual({ code: 0, signal: null });
  });

  test("goes on without a log, and says so once on standard output", async () => {
    using pipe = new Pipe("stderr");
    const server = await executable.serve(INSTANT, [], {}, pipe.as("2"));
    await waitUntil("the log to begin", () => pipe.read().includes("ready"));
    pipe.close();
    await expectResult(server.port);
    await expectResult(server.port);
    server.signal("SIGTERM");
    expect(await server.waitForExit()).toEqual({ code: 0, signal: null });
    expect(server.out.split("\n").slice(1)).toEqual([
      "standard error cannot be written (EPIPE): the server goes on without a log",
      "",
    ]);
  });

  test("goes on while a disk is full, and says so", async () => {
    const server = await executable.serve(INSTANT, [], {}, ["sh", "-c", 'exec "$@" 2>"$0"', "/dev/full"]);
    await expectResult(server.port);
    expect(server.out.split("\n").slice(1)).toEqual([
      "standard error cannot be written (ENOSPC): log lines are lost",
      "",
    ]);
    server.signal("SIGTERM");
    expect(await server.waitForExit()).toEqual({ code: 0, signal: null });
  });
});

describe("a server whose log is not read", () => {
  test("keeps a limited amount of it, counts the lines that it drops, and reports them when it is read again", async () => {
    using pipe = new Pipe("stuck");
    const server = await executable.serve(INSTANT, ["--log-level", "debug"], {}, pipe.as("2"));
    const dropped = async (): Promise<number> => {
      const text = await (await fetch(`${server.url}/metrics`)).text();
      return Number(/^streamer_log_lines_dropped_total (\d+)$/m.exec(text)?.[1]);
    };
    while ((await dropped()) === 0) await makeLines(server.port, 1_000);
    await expectResult(server.port);
    let text = "";
    const record = () => /^.*"log_lines_dropped".*$/m.exec(text)?.[0];
    await waitUntil("the dropped lines to be reported", async () => {
      text += pipe.read();
      // Lines are written when there is room for them.
      await makeLines(server.port, 50);
      return record() !== undefined;
    });
    expect(text.length).toBeLessThan(2 * OUTPUT_BUFFER_BYTES);
    const { level, lines } = JSON.parse(record() ?? "") as { level: string; lines: number };
    expect([level, lines]).toEqual(["warning", await dropped()]);
    server.signal("SIGTERM");
    expect(await server.waitForExit()).toEqual({ code: 0, signal: null });
  });

  test("ends at a signal although nobody reads", async () => {
    using pipe = new Pipe("unread");
    const server = await executable.serve(INSTANT, ["--log-level", "debug"], {}, pipe.as("2"));
    await makeLines(server.port, 500);
    server.signal("SIGTERM");
    expect(await server.waitForExit()).toEqual({ code: 0, signal: null });
  });
});

describe("a terminal that was stopped with Ctrl-S", () => {
  const STOP = "\u0013";
  const GO_ON = "\u0011";

  /** Starts a server in a terminal. Returns its port, and the terminal's text so far. */
  async function serveInTerminal(...args: string[]) {
    let text = "";
    const admitAll = ["--set", "limits.admission.load=1000"];
    const child = Bun.spawn([executable.path, "serve", "--port", "0", "--workers", "1", ...admitAll, ...args], {
      cwd: executable.folder,
      env: { TERM: "xterm", NO_COLOR: "1" },
      terminal: { cols: 200, rows: 24, data: (_, data) => void (text += Buffer.from(data).toString()) },
    });
    await waitUntil("the server to listen", () => text.includes("info    ready") || text.includes('"ready"'));
    return {
      port: Number(/listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(text)?.[1]),
      shown: () => text,
      type: (key: string) => void child.terminal?.write(key),
      async [Symbol.asyncDispose]() {
        child.kill("SIGKILL");
        await child.exited;
        child.terminal?.close();
      },
    };
  }

  for (const format of ["pretty", "json"]) {
    test(`does not hold up the server, with a ${format} log`, async () => {
      await using terminal = await serveInTerminal("--log-level", "debug", "--log-format", format);
      terminal.type(STOP);
      await waitUntil("the terminal to stop", async () => {
        const before = terminal.shown().length;
        await makeLines(terminal.port, 50);
        await Bun.sleep(200);
        return terminal.shown().length === before;
      });
      // More than the terminal itself takes.
      await makeLines(terminal.port, 500);
      await expectResult(terminal.port);
      const before = terminal.shown().length;
      terminal.type(GO_ON);
      await waitUntil("the log to go on", () => terminal.shown().length > before + 100_000);
    });
  }

  test("does not hold up a model that prints", async () => {
    await Bun.write(
      join(executable.folder, "prints.ts"),
      `export default { name: "prints", load: () => ({ infer(audio) {
        for (let n = 0; n < 1000; n++) console.log("x".repeat(100));
        return { n: audio.length };
      } }) };\n`,
    );
    await using terminal = await serveInTerminal("--model", "./prints.ts", "--set", "model.inference_timeout_ms=60000");
    terminal.type(STOP);
    for (let n = 0; n < 3; n++) await expectResult(terminal.port);
  });
});
