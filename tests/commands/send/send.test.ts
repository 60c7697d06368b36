import { afterEach, expect, test } from "bun:test";
import { copyFile, mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { SendIo } from "../../../src/commands/send/send-io.ts";
import { send } from "../../../src/commands/send/send.ts";
import { parseSendSettings } from "../../../src/commands/send/settings.ts";
import type { ChannelLedger } from "../../../src/protocol/events.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { MemoryOutput } from "../../support/memory-output.ts";
import {
  fakeServer,
  rejection,
  replying,
  sendEvent,
  type ServerScript,
  startedEvent,
  stoppedEvent,
} from "../../support/wire.ts";

const SAMPLE = join(import.meta.dir, "..", "..", "data", "two-speakers-48k.wav");
const RAW = ["-i", "-", "--raw", "--rate", "16000"];

const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

function serve(script: ServerScript): string {
  const { url, stop } = fakeServer(script);
  cleanups.push(stop);
  return url;
}

/** A server that counts what it receives and sends a correct ledger: all silence. */
function counting(also: ServerScript = {}, change: Partial<ChannelLedger> = {}): ServerScript {
  let bytes = 0;
  return {
    text(socket, request) {
      if (request["request"] === "start") sendEvent(socket, startedEvent({}));
      also.text?.(socket, request);
      if (request["request"] !== "stop") return;
      const frames = Math.floor(bytes / 2);
      const ledger = {
        channel: 0,
        received: frames,
        received_rate: 16_000,
        decoded: frames,
        inferred: 0,
        silent: frames,
      };
      sendEvent(socket, stoppedEvent([{ ...ledger, failed: 0, segments: 0, interims: 0, errors: 0, ...change }]));
    },
    audio(socket, message) {
      bytes += message.length;
      also.audio?.(socket, message);
    },
  };
}

interface Run {
  code: number;
  out: string;
  err: string;
}

/** Runs the command with `input` as standard input, and a clock that advances by sleeping only. */
async function run(rawArgs: string[], given: Partial<SendIo> = {}, input = new Uint8Array(0)): Promise<Run> {
  const out = new MemoryOutput();
  const err = new MemoryOutput();
  let now = 0;
  const io: SendIo = {
    async *stdin() {
      yield input;
    },
    out,
    err,
    audioOut: new MemoryOutput(),
    clock: {
      now: () => now,
      after: (milliseconds, task) => {
        now += milliseconds;
        queueMicrotask(task);
        return () => undefined;
      },
    },
    interrupt: new AbortController().signal,
    colour: false,
    ...given,
  };
  const code = await send(parseSendSettings(rawArgs), io);
  return { code, out: out.text, err: err.text };
}

test("audio is sent in chunks of 100 ms, or of --chunk-size", async () => {
  const sizes: number[] = [];
  const addr = serve(counting({ audio: (_, bytes) => void sizes.push(bytes.length) }));
  expect((await run([...RAW, "--addr", addr], {}, new Uint8Array(7000))).code).toBe(0);
  expect(sizes).toEqual([3200, 3200, 600]);
  sizes.length = 0;
  const again = serve(counting({ audio: (_, bytes) => void sizes.push(bytes.length) }));
  expect((await run([...RAW, "--addr", again, "--chunk-size", "333"], {}, new Uint8Array(1000))).code).toBe(0);
  expect(sizes).toEqual([333, 333, 333, 1]);
});

test("in real time, a chunk is sent at its last sample, and a late one does not delay the others", async () => {
  const wakes: number[] = [];
  let now = 1000;
  const clock = {
    now: () => now,
    after: (milliseconds: number, task: () => void) => {
      wakes.push(now + milliseconds);
      // The third chunk is late: the next two are sent at once.
      now += wakes.length === 3 ? milliseconds + 250 : milliseconds;
      queueMicrotask(task);
      return () => undefined;
    },
  };
  const addr = serve(replying());
  await run([...RAW, "--channels", "2", "--real-time", "--addr", addr], { clock }, new Uint8Array(6 * 6400));
  expect(wakes).toEqual([1100, 1200, 1300, 1600]);
});

test("as JSON the events are printed exactly as received, and the report goes to standard error", async () => {
  const text = '{ "type":"segment","start_time":0,"end_time":0.1,"is_final":true,"channel":0, "count":1600 }';
  const addr = serve(
    counting(
      { text: (socket, { request }) => void (request === "stop" && socket.send(text)) },
      { segments: 1, inferred: 1600, silent: 0 },
    ),
  );
  const { code, out, err } = await run([...RAW, "--format", "json", "--addr", addr], {}, new Uint8Array(3200));
  expect(code).toBe(0);
  const lines = out.trimEnd().split("\n");
  expect(lines).toHaveLength(3);
  expect(lines[1]).toBe(text);
  expect(err).toContain("the ledger adds up");
});

test("as text, an event is a line, and the ledger follows", async () => {
  const addr = serve(
    counting(
      {
        audio(socket) {
          sendEvent(socket, { type: "active", time: 0.01, channel: 0 });
          sendEvent(socket, {
            type: "segment",
            start_time: 0,
            end_time: 0.05,
            is_final: false,
            channel: 0,
            text: "hal",
          });
          sendEvent(socket, { type: "inactive", time: 0.08, channel: 0 });
          sendEvent(socket, {
            type: "segment",
            start_time: 0,
            end_time: 0.1,
            is_final: true,
            channel: 0,
            text: "hallo",
            count: 1600,
          });
          sendEvent(socket, { type: "warning", code: "clipping", message: "too loud", channel: 0 });
        },
      },
      { segments: 1, interims: 1, inferred: 1600, silent: 0 },
    ),
  );
  const { code, out, err } = await run([...RAW, "--addr", addr], {}, new Uint8Array(3200));
  expect({ code, err }).toEqual({ code: 0, err: "" });
  for (const text of [
    "standard input: length unknown, 16000 Hz, 1 channel, 16 bit",
    "0.01  speech begins",
    '0.00 -    0.05  interim "hal"',
    "0.08  speech ends",
    '0.00 -    0.10  final  "hallo" count=1,600   0 ms after end of speech',
    "warning clipping: too loud",
    "1,600 frames at 16,000 Hz -> 1,600 samples at 16,000 Hz = 1,600 inferred + 0 silent + 0 failed; 1 segment, 1 interim",
  ]) {
    expect(out).toContain(text);
  }
});

test("texts of the server cannot control the terminal", async () => {
  const clear = "\u001B[2J\u009B2J\n";
  const addr = serve(
    counting({
      audio(socket) {
        const span = { start_time: 0, end_time: 0.1, is_final: true, channel: 0 };
        sendEvent(socket, { type: "segment", ...span, text: clear, label: { a: clear } });
        sendEvent(socket, { type: "warning", code: "clipping", message: clear, channel: 0 });
        sendEvent(socket, { type: "later", text: clear });
      },
    }),
  );
  const { out } = await run([...RAW, "--addr", addr], {}, new Uint8Array(3200));
  const events = out.split("\n\n")[0] ?? "";
  expect(events.match(/\\u\{1b\}\[2J\\u\{9b\}2J\\u\{a\}/g)).toHaveLength(2);
  expect(events.match(/\\u001b\[2J\\u\{9b\}2J\\n/gi)).toHaveLength(2);
  expect(out).not.toContain("\u001B");
  expect(out).not.toContain("\u009B");
});

test("a ledger that differs from what was sent is an error", async () => {
  const addr = serve(counting({}, { received: 5 }));
  const { code, err } = await run([...RAW, "--addr", addr], {}, new Uint8Array(3200));
  expect(code).toBe(1);
  expect(err).toContain("problem: channel 0: received 5 frames; sent: 1600");
});

test("an error from the server and missing results end with 1", async () => {
  const failing = { type: "error", code: "inference_failed", message: "no luck", fatal: false, channel: 0 };
  const wrong = serve(
    counting({ text: (socket, { request }) => void (request === "stop" && sendEvent(socket, failing)) }, { errors: 1 }),
  );
  const first = await run([...RAW, "--addr", wrong], {}, new Uint8Array(3200));
  expect(first.code).toBe(1);
  expect(first.out).toContain("error inference_failed: no luck");
  const gone = serve({
    text: (socket, { request }) =>
      request === "start" ? sendEvent(socket, startedEvent({})) : socket.close(1011, "internal"),
  });
  const second = await run([...RAW, "--addr", gone], {}, new Uint8Array(3200));
  expect(second.code).toBe(1);
  expect(second.err).toContain("the connection was closed (1011: internal)");
});

test("a server that closes the connection before it starts the stream ends with 3", async () => {
  const addr = serve({ text: (socket) => socket.close(1011, "internal") });
  const { code, err } = await run([...RAW, "--addr", addr], {}, new Uint8Array(3200));
  expect({ code, err }).toEqual({ code: 3, err: "problem: the connection was closed (1011: internal)\n" });
});

test("the name of a file cannot control the terminal", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "streamer-names-"));
  const shown = "\\u{1b}[31mred\\u{a}";
  const path = join(folder.path, "\u001B[31mred\n.wav");
  await copyFile(SAMPLE, path);
  const { out, err } = await run(["-i", path, "--addr", serve(replying())]);
  expect(out).toContain(`${shown}.wav: 18.00 s`);
  expect(out + err).not.toContain("\u001B");
  const missing = String(await rejection(run(["-i", `${path}x`, "--addr", "localhost:1"])));
  expect(missing).toContain(`${shown}.wavx: no such file`);
});

test("a refused start is printed and ends with 1", async () => {
  const addr = serve({
    text: (socket) =>
      sendEvent(socket, { type: "error", code: "unknown_model", message: "no such model", fatal: false }),
  });
  const { code, out, err } = await run([...RAW, "--addr", addr], {}, new Uint8Array(3200));
  expect(code).toBe(1);
  expect(out).toContain("error unknown_model: no such model");
  expect(err).toContain("no stream was started");
});

test("a refused start and a refused connection show when to try again", async () => {
  const error = {
    type: "error",
    code: "model_unavailable",
    message: "no worker",
    fatal: false,
    retryable: true,
  } as const;
  for (const [retry_after_ms, hint] of [
    [1_500, "; try again after 1.5 s"],
    [0, "; try again at once"],
  ] as const) {
    const addr = serve({ text: (socket) => sendEvent(socket, { ...error, retry_after_ms }) });
    const { out } = await run([...RAW, "--addr", addr], {}, new Uint8Array(3200));
    expect(out).toContain(`error model_unavailable: no worker${hint}`);
  }
});

test("a failed connection ends with 3 and the reason", async () => {
  const addr = serve({});
  const refused = await run([...RAW, "--addr", `${addr}full`]);
  expect(refused).toMatchObject({ code: 3, out: "" });
  expect(refused.err).toContain("refused with HTTP 503, overloaded: no room; try again after 2 s");
  const nobody = await run([...RAW, "--addr", "ws://localhost:1/"]);
  expect(nobody.code).toBe(3);
  expect(nobody.err).toContain("cannot connect to ws://localhost:1/api/v1/segmented: nothing listens there");
});

test("a file that is not WAV ends with 2 before the connection", async () => {
  const error = await rejection(run(["-i", import.meta.path, "--addr", "ws://localhost:1/"]));
  expect(error).toMatchObject({ code: 2 });
  expect(String(error)).toContain("send.test.ts: not a supported WAV file");
});

test("a truncated WAV file is sent with a warning", async () => {
  const addr = serve(counting());
  const header = Uint8Array.fromHex(
    "524946460000000057415645666d7420100000000100010080" + "3e0000007d00000200100064617461" + "00010000",
  );
  const bytes = new Uint8Array(header.length + 100);
  bytes.set(header);
  const { code, err } = await run(["-i", "-", "--addr", addr], {}, bytes);
  expect({ code, err }).toMatchObject({ code: 0 });
  expect(err).toContain(
    "warning: standard input is cut off: 156 of the 256 bytes of audio that its header declares are missing",
  );
});

test("Ctrl-C ends sending, and the results of the audio sent still arrive", async () => {
  const interrupt = new AbortController();
  const requests: unknown[] = [];
  let messages = 0;
  const addr = serve(
    counting({
      text: (_, { request }) => void requests.push(request),
      audio: () => void (++messages === 3 && interrupt.abort()),
    }),
  );
  const { code, out } = await run([...RAW, "--addr", addr], { stdin: endless, interrupt: interrupt.signal });
  expect(code).toBe(0);
  expect(requests).toEqual(["start", "stop"]);
  expect(out).toContain("the ledger adds up");
});

/** Pieces of audio of 100 ms that never end. */
async function* endless() {
  for (;;) {
    yield new Uint8Array(3200);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** The ledger of silence. */
function silence(frames: number): ChannelLedger {
  const parts = { received: frames, received_rate: 16_000, decoded: frames, inferred: 0, silent: frames, failed: 0 };
  return { channel: 0, ...parts, segments: 0, interims: 0, errors: 0 };
}

test("a server that ends the stream early is reported, and sending ends", async () => {
  let messages = 0;
  const addr = serve({
    text: (socket, { request }) => void (request === "start" && sendEvent(socket, startedEvent({}))),
    audio(socket) {
      if (++messages !== 3) return;
      sendEvent(socket, stoppedEvent([silence(4800)], { reason: "limit" }));
      socket.close(1008, "session_limit");
    },
  });
  const { code, err } = await run([...RAW, "--addr", addr], { stdin: endless });
  expect(code).toBe(1);
  expect(err).toContain("the server ended the stream early (limit)");
});

test("before the deadline of a server that shuts down, sending ends and the results of what was sent arrive", async () => {
  const clock = new ManualClock();
  const requests: unknown[] = [];
  const addr = serve(
    counting({
      text: (_, { request }) => void requests.push(request),
      audio(socket) {
        const draining = { type: "warning", code: "draining", message: "shutting down", deadline_ms: 30_000 };
        if (clock.pending === 0) sendEvent(socket, draining);
        else clock.advance(10_000);
      },
    }),
  );
  const { code, out, err } = await run([...RAW, "--addr", addr], { stdin: endless, clock });
  expect({ code, err }).toMatchObject({ code: 0 });
  expect(requests).toEqual(["start", "stop"]);
  expect(clock.now()).toBeGreaterThanOrEqual(29_000);
  expect(out).toContain("warning draining: shutting down (30 s)");
  expect(out).toContain("the ledger adds up");
  expect(err).toStartWith("the server is shutting down: no more audio is sent, the results of what was sent follow\n");
  expect(err).toMatch(/warning: the server shut down: \d\.\d\d s of standard input were sent, the rest was not\n$/);
});

test("a server that shuts down at once is no failure if it answers all that was sent", async () => {
  let messages = 0;
  const addr = serve({
    text: (socket, { request }) => void (request === "start" && sendEvent(socket, startedEvent({}))),
    audio(socket) {
      if (++messages !== 2) return;
      sendEvent(socket, { type: "warning", code: "draining", message: "shutting down", deadline_ms: 0 });
      sendEvent(socket, stoppedEvent([silence(3200)], { reason: "drain" }));
      socket.close(1001, "draining");
    },
  });
  async function* twice(ended: AbortSignal) {
    yield new Uint8Array(6400);
    await new Promise((resolve) => ended.addEventListener("abort", resolve));
  }
  const { code, out, err } = await run([...RAW, "--addr", addr], { stdin: twice });
  expect({ code, err }).toEqual({
    code: 0,
    err: "warning: the server shut down: 0.20 s of standard input were sent, the rest was not\n",
  });
  expect(out).toContain("the ledger adds up");
});

test("keep_alive is sent while the source has no audio", async () => {
  const received = Promise.withResolvers<void>();
  const { limits } = startedEvent({});
  const addr = serve({
    text(socket, { request }) {
      if (request === "start") sendEvent(socket, startedEvent({ limits: { ...limits, idle_timeout_ms: 30 } }));
      if (request === "keep_alive") received.resolve();
      if (request === "stop") sendEvent(socket, stoppedEvent());
    },
  });
  async function* silent() {
    yield new Uint8Array(2);
    await received.promise;
  }
  await run([...RAW, "--addr", addr], { stdin: silent });
});

test("a slow reader of the results slows down the reading of events, and no event is lost", async () => {
  const count = 300;
  const addr = serve(
    counting({
      audio(socket) {
        for (let i = 0; i < count; i++) sendEvent(socket, { type: "active", time: i, channel: 0 });
      },
    }),
  );
  let lines = 0;
  const slow = new MemoryOutput();
  slow.write = (text: string) => {
    if (text.includes("speech begins")) lines += 1;
    return new Promise<void>((resolve) => setImmediate(resolve));
  };
  expect((await run([...RAW, "--addr", addr], { out: slow }, new Uint8Array(3200))).code).toBe(0);
  expect(lines).toBe(count);
});

test("no more audio is sent while the reader of the results is far behind", async () => {
  // Each message of 3200 bytes is answered with 1 MB of audio.
  const samples = new Float32Array(256 * 1024);
  let messages = 0;
  const addr = serve(
    counting({
      audio(socket) {
        messages += 1;
        const audio = { bytes: samples.byteLength, sample_rate: 16_000 };
        sendEvent(socket, { type: "data", channel: 0, audio });
        socket.send(samples);
      },
    }),
  );
  const slow = new MemoryOutput();
  const read = Promise.withResolvers<void>();
  slow.write = (text) => {
    slow.writes.push(text);
    return text.includes("samples of audio") ? read.promise : undefined;
  };
  async function* forty() {
    for (let i = 0; i < 40; i++) {
      yield new Uint8Array(3200);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
  const running = run([...RAW, "--addr", addr], { out: slow, stdin: forty });
  let before = -1;
  while (before !== messages || messages <= 4) {
    before = messages;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  expect(messages).toBeLessThan(40);
  read.resolve();
  expect((await running).code).toBe(0);
  expect(messages).toBe(40);
});

test("the recording of the demo is described by its header", async () => {
  const addr = serve(replying());
  const { out } = await run(["-i", SAMPLE, "--addr", addr]);
  expect(out).toContain("18.00 s, 48000 Hz, 2 channels, 16 bit");
});
