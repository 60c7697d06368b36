import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";

import { type Keys, Running } from "../../support/in-process.ts";
import { fakeServer, sendEvent, startedEvent } from "../../support/wire.ts";

/** The command as it is typed, against a real server. */

const root = join(import.meta.dir, "..", "..", "..");
const SAMPLE = join("tests", "data", "two-speakers-48k.wav");

let server: Running;
let addr = "";

async function start(keys: Keys = {}): Promise<{ server: Running; addr: string }> {
  const server = await Running.start(keys);
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

test("the sample's seven utterances come back, and the ledger adds up", async () => {
  const { code, out, err } = await run("-i", SAMPLE, "--addr", addr);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  expect(out).toContain(GOOD);
  expect(out.match(/speech begins/g)).toHaveLength(7);
  expect(out.match(/final {2}count=/g)).toHaveLength(7);
  expect(out).toContain("864,000 frames at 48,000 Hz -> 288,000 samples at 16,000 Hz");
});

test("odd chunk sizes, a pipe and a redirected file give the same results", async () => {
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

test("settings of the stream reach the server", async () => {
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

test("a model that fails ends with 1, every failed span named, and the ledger still adds up", async () => {
  const failing = await start({ "model.failure_rate": 1 });
  await using _ = failing.server;
  const { code, out, err } = await run("-i", SAMPLE, "--addr", failing.addr);
  expect({ code, err }).toEqual({ code: 1, err: "" });
  expect(out.match(/error inference_failed/g)).toHaveLength(7);
  expect(out).toContain("0 final results, 7 errors; the ledger adds up");
});

test("a simple stream shows its blocks", async () => {
  const simple = addr.replace("segmented", "simple");
  const { code, out } = await run("-i", SAMPLE, "--addr", simple);
  expect(code).toBe(0);
  expect(out).toContain("72 final results, 0 errors; the ledger adds up");
});

test("usage errors exit with 2 and name what is wrong; nothing there exits with 3", async () => {
  for (const [args, code, words] of [
    [["-i", SAMPLE, "--real-tiem"], 2, "unknown flag --real-tiem; did you mean --real-time?"],
    [[], 2, "-i FILE"],
    [["-i", "none.wav"], 2, "none.wav: there is no such file"],
    [["-i", "package.json"], 2, "package.json: not a WAV file"],
    [["-i", SAMPLE, "--addr", "ws://localhost:1/"], 3, "nothing listens there"],
    [["-i", SAMPLE, "--addr", addr.replace("segmented", "nowhere")], 3, "refused with HTTP 404"],
  ] as const) {
    const result = await run(...args);
    expect(result.err).toContain(words);
    expect(result).toMatchObject({ code, out: "" });
  }
});

test("a reader that has seen enough ends the command quietly", async () => {
  const { code, out, err } = await pipe(
    `(SEND -i ${SAMPLE} --real-time --format json; echo "exit $?" >&2) | head -n 2`,
  );
  expect(code).toBe(0);
  expect(out.trimEnd().split("\n")).toHaveLength(2);
  expect(err).toBe("exit 0\n");
});

test("results that cannot be written, as on a full disk, end the command with 1", async () => {
  const { err } = await pipe(`SEND -i ${SAMPLE} --format json > /dev/full; echo "exit $?" >&2`);
  expect(err).toContain("streamer: standard output cannot be written: ENOSPC");
  expect(err).toEndWith("exit 1\n");
});

test("a slow reader gets every line", async () => {
  const { out } = await pipe(`SEND -i ${SAMPLE} --format json 2>/dev/null | (sleep 0.5; cat)`);
  expect(JSON.parse(out.trimEnd().split("\n").at(-1) ?? "")).toMatchObject({ type: "stopped" });
});

test("Ctrl-C ends a live stream in order: results of what was sent, ledger, exit 0", async () => {
  const child = spawn(["-i", "-", "--addr", addr], "pipe");
  const audio = await Bun.file(join(root, SAMPLE)).bytes();
  // 4 s, in which a person speaks; then the source stalls and never ends.
  await child.stdin?.write(audio.subarray(0, 44 + 4 * 192_000));
  await child.stdin?.flush();
  let out = "";
  const decoder = new TextDecoder();
  for await (const bytes of child.stdout) {
    if (!out.includes("speech begins")) {
      out += decoder.decode(bytes, { stream: true });
      if (out.includes("speech begins")) child.kill("SIGINT");
    } else {
      out += decoder.decode(bytes, { stream: true });
    }
  }
  expect(await child.exited).toBe(0);
  expect(out).toContain("the ledger adds up");
});

test("a second Ctrl-C does not wait for results", async () => {
  const { url, stop } = fakeServer({
    text(socket, { request }) {
      if (request === "start") sendEvent(socket, startedEvent({}));
      else child.kill("SIGINT");
    },
    audio: () => child.kill("SIGINT"),
  });
  const child = spawn(["-i", SAMPLE, "--real-time", "--addr", url]);
  expect(await child.exited).toBe(130);
  await stop();
});
