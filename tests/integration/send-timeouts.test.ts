import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";

import { sharedExecutable } from "../support/executable.ts";
import { SendProcess } from "../support/send-process.ts";
import { silentServer } from "../support/silent-server.ts";
import { waitUntil } from "../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const SAMPLE = join(import.meta.dir, "..", "data", "two-speakers-48k.wav");
const executable = await sharedExecutable();

// All wait for most of their time, each for a server of its own.
describe("send --timeout gives up", () => {
  test.concurrent("a server that accepts the connection and is silent, with 3", async () => {
    using silent = silentServer(false);
    const addr = `127.0.0.1:${silent.port}`;
    expect(await executable.run(["send", "-i", SAMPLE, "--addr", addr, "--timeout", "0.5"])).toEqual({
      code: 3,
      out: "",
      err: `cannot connect to ws://${addr}/api/v1/segmented: the server did not answer within 0.5 s\n`,
    });
  });

  test.concurrent("a server that opens the WebSocket and is silent, with 3", async () => {
    using silent = silentServer(true);
    const args = ["send", "-i", SAMPLE, "--addr", `127.0.0.1:${silent.port}`, "--format", "json", "--timeout", "0.5"];
    expect(await executable.run(args)).toEqual({
      code: 3,
      out: "",
      err: "problem: the server did not start the stream within 0.5 s\n",
    });
  });

  test.concurrent("a server that freezes and owes results, with 1 and the results that came", async () => {
    const server = await executable.serve({ "model.workers": 1, "model.delay": 1, "model.warmup_penalty": 0 });
    await using sending = new SendProcess(executable, [
      ...["-i", SAMPLE, "--addr", `127.0.0.1:${server.port}`, "--timeout", "2"],
    ]);
    await waitUntil("a result", () => sending.out.includes("count="));
    server.signal("SIGSTOP");
    const { code, out, err } = await sending.result();
    server.signal("SIGCONT");
    expect(err).toBe("problem: the server sent no event within 2 s, although results are owed\n");
    expect(code).toBe(1);
    expect(out).not.toContain("ledger");
  });

  test.concurrent("a server that freezes and takes no more audio, with 1", async () => {
    const server = await executable.serve({ "model.workers": 1, "model.delay": 0 });
    await using sending = new SendProcess(executable, [
      ...["-i", "/dev/zero", "--raw", "--addr", `127.0.0.1:${server.port}`, "--timeout", "2"],
    ]);
    await waitUntil("the stream", () => sending.out.includes("stream 0"));
    server.signal("SIGSTOP");
    const { code, err } = await sending.result();
    server.signal("SIGCONT");
    expect({ code, err }).toEqual({
      code: 1,
      err: "problem: the server took no audio and sent no event within 2 s\n",
    });
  });

  test.concurrent.each(["simple", "segmented"])(
    "a server that freezes while audio is paced to %s, with 1",
    async (pattern) => {
      const server = await executable.serve({ "model.workers": 1, "model.delay": 0 });
      await using sending = new SendProcess(executable, [
        ...["-i", "/dev/zero", "--raw", "--real-time", "--pattern", pattern],
        ...["--addr", `127.0.0.1:${server.port}`, "--timeout", "2"],
      ]);
      await waitUntil("the stream", () => sending.out.includes("stream 0"));
      server.signal("SIGSTOP");
      const { code, err } = await sending.result();
      server.signal("SIGCONT");
      expect({ code, err }).toEqual({
        code: 1,
        err: "problem: the server sent no event and answered no ping within 2 s\n",
      });
    },
  );
});

test.concurrent("a stream longer than the timeout is finished while events come", async () => {
  const server = await executable.serve({ "model.workers": 1, "model.delay": 1, "model.warmup_penalty": 0 });
  const args = ["send", "-i", SAMPLE, "--addr", `127.0.0.1:${server.port}`, "--timeout", "5"];
  const { code, out, err } = await executable.run(args);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  expect(out).toContain("7 final results, 0 errors; the ledger adds up");
});

test.concurrent("a live stream without speech owes nothing: no timeout ends it", async () => {
  const server = await executable.serve({ "model.workers": 1, "model.delay": 0 });
  await using sending = new SendProcess(
    executable,
    ["-i", "-", "--raw", "--addr", `127.0.0.1:${server.port}`, "--timeout", "2"],
    "pipe",
  );
  const { stdin } = sending.child;
  if (stdin === undefined) throw new Error("no standard input");
  await stdin.write(new Uint8Array(6400));
  await stdin.flush();
  await waitUntil("the stream", () => sending.out.includes("stream 0"));
  await Bun.sleep(3_000);
  await stdin.write(new Uint8Array(6400));
  await stdin.end();
  const { code, out, err } = await sending.result();
  expect({ code, err }).toEqual({ code: 0, err: "" });
  expect(out).toContain("6,400 frames at 16,000 Hz");
});

test.concurrent("a person at a terminal sees what send waits for", async () => {
  using silent = silentServer(false);
  let text = "";
  const args = ["send", "-i", SAMPLE, "--addr", `127.0.0.1:${silent.port}`];
  const child = Bun.spawn([executable.path, ...args], {
    cwd: executable.folder,
    env: { TERM: "xterm" },
    terminal: { cols: 100, rows: 30, data: (_, data) => (text += new TextDecoder().decode(data)) },
  });
  await waitUntil("the wait to be shown", () =>
    text.includes("waiting for an answer of the server: 3 s of at most 10 s"),
  );
  child.kill("SIGTERM");
  expect(await child.exited).toBe(143);
  child.terminal?.close();
});
