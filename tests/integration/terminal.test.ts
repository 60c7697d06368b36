import { expect, setDefaultTimeout, test } from "bun:test";

import { encode, noise } from "../support/audio.ts";
import { sharedExecutable } from "../support/executable.ts";
import { linesShown } from "../support/terminal-view.ts";
import { waitUntil } from "../support/wait.ts";
import { WebSocketClient } from "../support/websocket-client.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const executable = await sharedExecutable();

/** `streamer serve` with a terminal for standard output and standard error. */
class ServerTerminal implements AsyncDisposable {
  /** Everything written to the terminal, in order. */
  text = "";
  readonly child: Bun.Subprocess;

  constructor(...args: string[]) {
    const decoder = new TextDecoder();
    this.child = Bun.spawn([executable.path, "serve", "--port", "0", "--workers", "1", ...args], {
      cwd: executable.folder,
      env: { TERM: "xterm", NO_COLOR: "1" },
      terminal: {
        cols: 200,
        rows: 24,
        data: (_, data) => {
          this.text += decoder.decode(data, { stream: true });
        },
      },
    });
  }

  async port(): Promise<number> {
    await waitUntil("the server to listen", () => this.text.includes("listening on "));
    return Number(/listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(this.text)?.[1]);
  }

  /** Shuts the server down and returns its exit code. */
  async stop(): Promise<number> {
    this.child.kill("SIGTERM");
    return await this.child.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill("SIGKILL");
    await this.child.exited;
    this.child.terminal?.close();
  }
}

/** Starts a stream and waits for its first result. */
async function startStream(port: number): Promise<WebSocketClient> {
  const client = await WebSocketClient.connect(port, { path: "/api/v1/simple" });
  client.start();
  await client.sendAudio(encode("s16", noise(1)));
  await client.nextEvent("segment");
  return client;
}

/** The warning about a blocked event loop, which a busy machine may cause at any time. */
const BLOCKED = /event.loop.blocked/;

/** Returns the lines that the terminal of a server shows after this text. */
async function visibleLines(text: string): Promise<string[]> {
  const lines = await linesShown(text, 200);
  return lines.filter((line) => line !== "" && !BLOCKED.test(line));
}

test("a terminal shows a line for each start and stop of a stream, and a status line in one place", async () => {
  await using terminal = new ServerTerminal();
  using client = await startStream(await terminal.port());
  await waitUntil("the stream to be on the status line", () => terminal.text.includes("sessions 1, streams 1"));
  await waitUntil("the real-time factor", () => /real-time factor \d/.test(terminal.text));
  client.stop();
  await client.nextEvent("stopped");
  client[Symbol.dispose]();
  await waitUntil(
    "the session to be closed",
    () => terminal.text.lastIndexOf("sessions 0") > terminal.text.indexOf("sessions 1"),
  );
  expect((await visibleLines(terminal.text)).filter((line) => line.startsWith("sessions"))).toHaveLength(1);
  expect(await terminal.stop()).toBe(0);
  const lines = await visibleLines(terminal.text);
  expect(lines.map((line) => line.replace(/^[\d:]+ (\w+) +/, "$1 "))).toEqual([
    expect.stringMatching(/^listening on http/),
    expect.stringMatching(/^info ready/),
    expect.stringMatching(
      /^info stream \S{8}\/0 started: \/simple, simulated, s16, 16000 Hz, 1 channel, trace [0-9a-f]{32}$/,
    ),
    expect.stringMatching(/^info stream \S{8}\/0 stopped \(stop\) after [\d.]+ s: 1\.00 s of audio = 100 % inferred/),
    expect.stringMatching(/^info draining/),
    expect.stringMatching(/^info stopped$/),
  ]);
});

test("with the JSON log there is no status line, even on a terminal", async () => {
  await using terminal = new ServerTerminal("--log-format", "json");
  using client = await startStream(await terminal.port());
  client.stop();
  await client.nextEvent("stopped");
  expect(await terminal.stop()).toBe(0);
  expect(terminal.text).not.toContain("\u001B");
  const [listening = "", ...records] = terminal.text.trim().split("\r\n");
  expect(listening).toStartWith("listening on");
  const events = records
    .map((record) => (JSON.parse(record) as { event: string }).event)
    .filter((event) => !BLOCKED.test(event));
  expect(events).toEqual(["ready", "stream_started", "stream_stopped", "draining", "stopped"]);
});

test("without a terminal, the pretty log has no colours, and there is no status line", async () => {
  const server = await executable.serve({}, ["--log-format", "pretty"]);
  using client = await startStream(server.port);
  client.stop();
  await client.nextEvent("stopped");
  server.signal("SIGTERM");
  await server.waitForExit();
  expect(server.err).not.toContain("\u001B");
  expect(server.err).not.toContain("sessions 1");
  expect(server.err).toContain("/0 started: /simple");
  expect(server.out).toBe(`listening on http://127.0.0.1:${server.port}\n`);
});

test("a stream is logged at its start and at its stop, with trace and ledger; messages are not logged", async () => {
  const server = await executable.serve({}, ["--log-level", "debug"]);
  const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
  using client = await WebSocketClient.connect(server.port, { path: "/api/v1/simple" });
  for (const index of [0, 1]) {
    client.start({ trace_id: `00-${trace}-00f067aa0ba902b7-01`, model: "simulated" });
    for (let i = 0; i < 20; i++) await client.sendAudio(encode("s16", noise(0.1)));
    client.stop({ disconnect: index === 1 });
    await client.nextEvent("stopped");
  }
  await waitUntil("session_closed in the log", () => server.err.includes("session_closed"));
  server.signal("SIGTERM");
  await server.waitForExit();
  const own = server.log.filter(({ session }) => session !== undefined);
  expect(own.map(({ event, stream }) => [event, stream])).toEqual([
    ["session_opened", undefined],
    ["stream_started", 0],
    ["stream_stopped", 0],
    ["stream_started", 1],
    ["stream_stopped", 1],
    ["session_closed", undefined],
  ]);
  expect(new Set(own.map(({ session }) => session)).size).toBe(1);
  const streams = own.filter(({ stream }) => stream !== undefined);
  expect(streams.map(({ trace_id }) => trace_id)).toEqual(Array.from({ length: 4 }, () => trace));
  expect(streams.every(({ span_id }) => /^[0-9a-f]{16}$/.test(String(span_id)))).toBe(true);
  expect(streams[1]).toMatchObject({ reason: "stop", ledger: [{ received: 32_000, inferred: 32_000 }] });
});

test("text from a client is escaped in the log, and tokens are not logged", async () => {
  const server = await executable.serve({}, ["--log-level", "debug"]);
  const headers = { authorization: "Bearer s3cret" };
  using client = await WebSocketClient.connect(server.port, { path: "/api/v1/simple?ticket=s3cret", headers });
  client.sendText(JSON.stringify({ request: "start", model: 'x\n{"level":"error"}\u001B[2J', format: {} }));
  await client.nextEvent("error");
  client.start({ options: { api_key: "s3cret" } });
  await client.sendAudio(encode("s16", noise(0.5)));
  client.reset();
  await waitUntil("the end of the stream in the log", () => server.err.includes("vanished"));
  server.signal("SIGTERM");
  await server.waitForExit();
  expect(server.err).not.toContain("s3cret");
  expect(server.err).not.toContain("\u001B");
  expect(server.log.length).toBeGreaterThan(3);
});

test("info has the current numbers of sessions, streams, jobs and workers, and the memory in use", async () => {
  const server = await executable.serve({ "model.workers": 1, "limits.arena_mb": 256 });
  using client = await startStream(server.port);
  interface Info {
    live: { uptime_seconds: number; sessions: number; streams: number; channels: number; audio_seconds: number };
  }
  const info = async (): Promise<Info> => (await (await fetch(`${server.url}/api/v1/info`)).json()) as Info;
  expect(await info()).toMatchObject({
    live: {
      uptime_seconds: expect.any(Number),
      sessions: 1,
      streams: 1,
      channels: 1,
      queue: { finals: 0, interims: 0, running: expect.any(Number) },
      workers: 1,
      arena: { used_bytes: expect.any(Number), bytes: 268_435_456 },
    },
  });
  client.stop();
  await client.nextEvent("stopped");
  client[Symbol.dispose]();
  await waitUntil("the session to be closed", async () => (await info()).live.sessions === 0);
  expect((await info()).live).toMatchObject({ streams: 0, channels: 0, audio_seconds: 1, arena: { used_bytes: 0 } });
});

test("the status line of several processes sums up all of them, and a record has the number of its process", async () => {
  await using server = new ServerTerminal("--processes", "2", "--set", "model.delay=0");
  const port = await server.port();
  const clients = await Promise.all(Array.from({ length: 8 }, () => startStream(port)));
  await waitUntil("the streams in the status line", () => server.text.includes("sessions 8, streams 8"));
  const shown = await linesShown(server.text, 200);
  expect(shown.at(-1)).toMatch(/^processes 2 of 2 {2}\| {2}sessions 8, streams 8 .*workers busy \d of 2 /);
  expect(server.text).toMatch(/info +\[[12]\] stream \S+ started: \/simple/);
  for (const client of clients) client[Symbol.dispose]();
  expect(await server.stop()).toBe(0);
});

test("SIGHUP from its terminal shuts a server down gracefully, because it means that the terminal is closed", async () => {
  await using server = new ServerTerminal();
  await server.port();
  server.child.kill("SIGHUP");
  expect(await server.child.exited).toBe(0);
  expect(server.text).toContain("draining signal=SIGHUP");
});

test("SIGHUP from the terminal of several processes shuts them down, because it means that the terminal is closed", async () => {
  await using server = new ServerTerminal("--processes", "2");
  await server.port();
  server.child.kill("SIGHUP");
  expect(await server.child.exited).toBe(0);
  expect(server.text).toContain("draining signal=SIGHUP");
});
