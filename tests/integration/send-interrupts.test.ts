import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { open } from "node:fs/promises";
import { join } from "node:path";

import { sharedExecutable } from "../support/executable.ts";
import { SendProcess } from "../support/send-process.ts";
import { afterCopies } from "../support/signal-handlers.ts";
import { silentServer } from "../support/silent-server.ts";
import { waitUntil } from "../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const SAMPLE = join(import.meta.dir, "..", "data", "two-speakers-48k.wav");
const UNSENT = "interrupted before any audio was sent\n";
const executable = await sharedExecutable();
const server = await executable.serve({ "model.workers": 1, "model.delay": 0 });
const ADDR = `127.0.0.1:${server.port}`;

function namedPipe(name: string): string {
  const path = join(executable.folder, name);
  expect(Bun.spawnSync(["mkfifo", path]).exitCode).toBe(0);
  return path;
}

describe("the first signal ends send", () => {
  const SIGNALS = [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const;

  test.each(SIGNALS)("%s: that opens a named pipe without a writer, with %d", async (signal, code) => {
    await using sending = new SendProcess(executable, ["-i", namedPipe(`unopened-${signal}`), "--addr", ADDR]);
    await sending.signal(signal);
    expect(await sending.result()).toEqual({ code, out: "", err: UNSENT });
  });

  test.each(SIGNALS)("%s: that waits for the header of a silent named pipe, with %d", async (signal, code) => {
    const path = namedPipe(`silent-${signal}`);
    await using _ = await open(path, "r+");
    await using sending = new SendProcess(executable, ["-i", path, "--addr", ADDR]);
    await sending.signal(signal);
    expect(await sending.result()).toEqual({ code, out: "", err: UNSENT });
  });

  test("that waits for the header on a silent standard input", async () => {
    await using sending = new SendProcess(executable, ["-i", "-", "--addr", ADDR], "pipe");
    await sending.signal("SIGINT");
    expect(await sending.result()).toEqual({ code: 130, out: "", err: UNSENT });
  });

  test("that waits for a terminal as standard input", async () => {
    let text = "";
    const child = Bun.spawn([executable.path, "send", "-i", "-", "--raw", "--addr", ADDR], {
      cwd: executable.folder,
      env: { TERM: "xterm", NO_COLOR: "1" },
      terminal: { cols: 100, rows: 30, data: (_, data) => (text += new TextDecoder().decode(data)) },
    });
    await waitUntil("the stream", () => text.includes("stream 0"));
    // Ctrl-C.
    child.terminal?.write("\u0003");
    expect(await child.exited).toBe(130);
    child.terminal?.close();
    expect(text).toContain("0 frames at 16,000 Hz");
    expect(text).toContain("the ledger adds up");
  });

  test.each(["not answered", "answered, without a started stream"])("whose connection is %s", async (kind) => {
    using silent = silentServer(kind !== "not answered");
    await using sending = new SendProcess(executable, [
      "-i",
      SAMPLE,
      "--addr",
      `127.0.0.1:${silent.port}`,
      "--format",
      "json",
    ]);
    await waitUntil("the connection", () => silent.connections > 0);
    await sending.signal("SIGTERM");
    const { code, out, err } = await sending.result();
    expect({ code, out, err: err.replace("problem: ", "") }).toEqual({ code: 143, out: "", err: UNSENT });
  });

  test("that waits for more audio of a named pipe, with the results of what was sent and the ledger", async () => {
    const path = namedPipe("stalled");
    await using sending = new SendProcess(executable, ["-i", path, "--addr", ADDR]);
    await using writer = await open(path, "w");
    const audio = await Bun.file(SAMPLE).bytes();
    // 4.1 s with speech of both channels.
    await writer.write(audio.subarray(0, 44 + 4.1 * 192_000));
    await waitUntil("speech", () => sending.out.includes("[1]                2.51  speech begins"));
    await sending.signal("SIGTERM");
    const { code, out, err } = await sending.result();
    expect(code).toBe(143);
    expect(err).toStartWith("interrupted: no more audio is sent, the results of what was sent follow;");
    expect(out.match(/final {2}count/g)).toHaveLength(2);
    expect(out).toContain("= 44,320 inferred + ");
    expect(out).toContain("the ledger adds up");
  });
});

test("the end of the stream ends send, although a named pipe has more to say", async () => {
  const own = await executable.serve({ "model.workers": 1, "limits.session_ms": 1_000 });
  const path = namedPipe("open");
  await using writer = await open(path, "r+");
  await using sending = new SendProcess(executable, ["-i", path, "--raw", "--addr", `127.0.0.1:${own.port}`]);
  await writer.write(new Uint8Array(32_000));
  const { code, out } = await sending.result();
  expect(code).toBe(1);
  expect(out).toContain("error session_limit");
});

test("the second signal ends send at once, although results are missing", async () => {
  const frozen = await executable.serve({ "model.workers": 1, "model.delay": 60, "model.warmup_penalty": 0 });
  await using sending = new SendProcess(executable, ["-i", SAMPLE, "--addr", `127.0.0.1:${frozen.port}`]);
  await waitUntil("speech", () => sending.out.includes("speech begins"));
  await sending.signal("SIGINT");
  await waitUntil("the first signal", () => sending.err.includes("a second signal ends at once"));
  await afterCopies();
  await sending.signal("SIGTERM");
  const { code, out } = await sending.result();
  expect(code).toBe(143);
  expect(out).not.toContain("ledger");
});
