import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";

import { InProcessServer, type Settings } from "../../support/in-process-server.ts";
import { fakeServer, sendEvent, startedEvent, stoppedEvent } from "../../support/wire.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

/** The command in a process of its own, with a real server. */

const root = join(import.meta.dir, "..", "..", "..");
const SAMPLE = join("tests", "data", "two-speakers-48k.wav");

let server: InProcessServer;
let addr = "";

async function start(keys: Settings = {}): Promise<{ server: InProcessServer; addr: string }> {
  const server = await InProcessServer.start(keys);
  return { server, addr: `ws://localhost:${server.port}/api/v1/segmented` };
}

beforeAll(async () => {
  ({ server, addr } = await start());
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

function spawn(args: readonly string[], stdin: "ignore" | "pipe" = "ignore") {
  return Bun.spawn([process.execPath, join("src", "main.ts"), "send", ...args], {
    cwd: root,
    stdin,
    stdout: "pipe",
    stderr: "pipe",
    env: { ...process.env, NO_COLOR: "1" },
  });
}

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const child = spawn(args);
  const [code, out, err] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
  return { code, out, err };
}

async function pipe(command: string): Promise<{ code: number; out: string; err: string }> {
  const send = `'${process.execPath}' src/main.ts send --addr ${addr}`;
  const child = Bun.spawn(["sh", "-c", command.replace("SEND", () => send)], {
    cwd: root,
    stdout: "pipe",
    stderr: "pipe",
  });
  const [code, out, err] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
  return { code, out, err };
}

const GOOD = "7 final results, 0 errors; the ledger adds up";

test("the seven utterances of the recording have results, and the ledger adds up", async () => {
  const { code, out, err } = await run("-i", SAMPLE, "--addr", addr);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  expect(out).toContain(GOOD);
  expect(out.match(/speech begins/g)).toHaveLength(7);
  expect(out.match(/final {2}count=/g)).toHaveLength(7);
  expect(out).toContain("864,000 frames at 48,000 Hz -> 288,000 samples at 16,000 Hz");
});

test("any chunk size, a pipe and a redirected file give the same results", async () => {
  const finals = ({ out }: { out: string }) => out.match(/.*final {2}count=[\d,]+/gm)?.sort();
  const whole = finals(await run("-i", SAMPLE, "--addr", addr));
  expect(whole).toHaveLength(7);
  for (const command of [
    `SEND -i ${SAMPLE} --chunk-size 4999`,
    `cat ${SAMPLE} | SEND -i -`,
    `SEND -i - --chunk-size 65536 < ${SAMPLE}`,
    `tail -c +45 ${SAMPLE} | SEND -i - --raw --rate 48000 --channels 2 --sample-format s16`,
  ]) {
    expect(finals(await pipe(command)), command).toEqual(whole);
  }
});

test("--set reaches the server", async () => {
  const { code, out } = await run(
    "-i",
    SAMPLE,
    "--addr",
    addr,
    "--set",
    "vad.max_utterance_ms=1000",
    "--format",
    "json",
  );
  expect(code).toBe(0);
  const [started, ...events] = out
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(started).toMatchObject({ type: "started", vad: { max_utterance_ms: 1000 } });
  expect(events.at(-1)).toMatchObject({ type: "stopped", reason: "stop" });
  expect(events.filter(({ type }) => type === "segment").length).toBeGreaterThan(15);
});

test("a model that fails ends with 1, every failed span is an error, and the ledger still adds up", async () => {
  const failing = await start({ "model.failure_rate": 1 });
  await using _ = failing.server;
  const { code, out, err } = await run("-i", SAMPLE, "--addr", failing.addr);
  expect({ code, err }).toEqual({ code: 1, err: "" });
  expect(out.match(/error inference_failed/g)).toHaveLength(7);
  expect(out).toContain("0 final results, 7 errors; the ledger adds up");
});

test("a simple stream has a result for every block", async () => {
  const simple = addr.replace("segmented", "simple");
  const { code, out } = await run("-i", SAMPLE, "--addr", simple);
  expect(code).toBe(0);
  expect(out).toContain("72 final results, 0 errors; the ledger adds up");
});

test("usage errors exit with 2, and a failed connection with 3", async () => {
  for (const [args, code, words] of [
    [["-i", SAMPLE, "--real-tiem"], 2, "unknown flag --real-tiem; did you mean --real-time?"],
    [[], 2, "-i FILE"],
    [["-i", "none.wav"], 2, "none.wav: no such file"],
    [["-i", "package.json"], 2, "package.json: not a supported WAV file"],
    [["-i", SAMPLE, "--addr", "ws://localhost:1/"], 3, "nothing listens there"],
    [["-i", SAMPLE, "--addr", addr.replace("segmented", "nowhere")], 3, "refused with HTTP 404"],
  ] as const) {
    const result = await run(...args);
    expect(result.err).toContain(words);
    expect(result).toMatchObject({ code, out: "" });
  }
});

test("a reader that closes the pipe ends the command with success", async () => {
  const { code, out, err } = await pipe(
    `(SEND -i ${SAMPLE} --real-time --format json; echo "exit $?" >&2) | head -n 2`,
  );
  expect(code).toBe(0);
  expect(out.trimEnd().split("\n")).toHaveLength(2);
  expect(err).toBe("exit 0\n");
});

test("a full disk ends the command with 1", async () => {
  const { err } = await pipe(`SEND -i ${SAMPLE} --format json > /dev/full; echo "exit $?" >&2`);
  expect(err).toContain("streamer: cannot write to standard output: ENOSPC");
  expect(err).toEndWith("exit 1\n");
});

test("a slow reader gets every line", async () => {
  const { out } = await pipe(`SEND -i ${SAMPLE} --format json 2>/dev/null | (sleep 0.5; cat)`);
  expect(JSON.parse(out.trimEnd().split("\n").at(-1) ?? "")).toMatchObject({ type: "stopped" });
});

test.each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const)("%s ends a live stream gracefully: results of the audio sent, ledger, exit %d", async (signal, code) => {
  const child = spawn(["-i", "-", "--addr", addr], "pipe");
  const audio = await Bun.file(join(root, SAMPLE)).bytes();
  // 4 s with speech; then the source stalls and does not end.
  await child.stdin?.write(audio.subarray(0, 44 + 4 * 192_000));
  await child.stdin?.flush();
  let out = "";
  let signalled = false;
  const decoder = new TextDecoder();
  for await (const bytes of child.stdout) {
    out += decoder.decode(bytes, { stream: true });
    if (signalled || !out.includes("speech begins")) continue;
    signalled = true;
    child.kill(signal);
  }
  expect(await child.exited).toBe(code);
  expect(out).toContain("the ledger adds up");
});

test("two signals at once are one: the results of what was sent still come", async () => {
  let signalled = false;
  const { url, stop } = fakeServer({
    text(socket, { request }) {
      if (request === "start") sendEvent(socket, startedEvent({}));
      else setTimeout(() => sendEvent(socket, stoppedEvent()), 300);
    },
    audio() {
      // Once: later pairs would be second signals.
      if (signalled) return;
      signalled = true;
      child.kill("SIGTERM");
      child.kill("SIGHUP");
    },
  });
  const child = spawn(["-i", SAMPLE, "--real-time", "--addr", url]);
  const out = await new Response(child.stdout).text();
  expect(await child.exited).toBeOneOf([143, 129]);
  expect(out).toContain("result ");
  await stop();
});

test("a second Ctrl-C ends the command without waiting for results", async () => {
  const { url, stop } = fakeServer({
    text(socket, { request }) {
      if (request === "start") sendEvent(socket, startedEvent({}));
      // Later than a copy of the first would come.
      else setTimeout(() => child.kill("SIGINT"), 500);
    },
    audio: () => child.kill("SIGINT"),
  });
  const child = spawn(["-i", SAMPLE, "--real-time", "--addr", url]);
  expect(await child.exited).toBe(130);
  await stop();
});
