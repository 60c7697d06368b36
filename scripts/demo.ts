// Starts the built executable as a server, streams a recording to it in real time, and prints the results.

import { join } from "node:path";

import { buildExecutable } from "./build.ts";

const root = join(import.meta.dir, "..");
const recording = join("tests", "data", "two-speakers-48k.wav");

const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 15_000;
/** Lines of the server's log that are printed when the demo fails: the last ones. */
const LOG_LINES = 20;

const LISTENING = /^listening on http:\/\/(\S+)$/;

/** A failure that is explained by its message: it is printed without a stack. */
class DemoError extends Error {}

type Server = Bun.Subprocess<"ignore", "pipe", "pipe">;

/** Keeps the last lines of a stream in `lines`. Resolves when the stream ends. */
async function keepLastLines(stream: ReadableStream<Uint8Array>, lines: string[]): Promise<void> {
  for await (const line of linesOf(stream)) {
    lines.push(line);
    if (lines.length > LOG_LINES) lines.shift();
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const bytes of stream) {
    const lines = (text + decoder.decode(bytes, { stream: true })).split("\n");
    text = lines.pop() ?? "";
    yield* lines;
  }
  if (text !== "") yield text;
}

/** Waits until the server is ready. Returns its host and port. */
async function waitForAddress(server: Server): Promise<string> {
  const timer = setTimeout(() => server.kill("SIGKILL"), START_TIMEOUT_MS);
  try {
    for await (const line of linesOf(server.stdout)) {
      const [, host] = LISTENING.exec(line) ?? [];
      if (host !== undefined) return host;
    }
  } finally {
    clearTimeout(timer);
  }
  throw new DemoError(`the server ended, or was not ready within ${START_TIMEOUT_MS / 1000} s`);
}

async function stop(server: Server): Promise<void> {
  const timer = setTimeout(() => server.kill("SIGKILL"), STOP_TIMEOUT_MS);
  server.kill("SIGTERM");
  const code = await server.exited;
  clearTimeout(timer);
  if (code !== 0) throw new DemoError(`the server ended with ${server.signalCode ?? `exit code ${code}`}`);
}

async function demo(): Promise<void> {
  const executable = await buildExecutable();
  const log: string[] = [];
  const server: Server = Bun.spawn([executable, "serve", "--port", "0", "--model", "simulated"], {
    cwd: root,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const logging = keepLastLines(server.stderr, log);
  try {
    const addr = `ws://${await waitForAddress(server)}/api/v1/segmented`;
    console.log(`
A stereo recording of two speakers: [0] is the left channel, [1] the right. The audio is sent in real time, and results
arrive while it is being sent. Times are seconds of audio.

$ ./streamer send -i ${recording} --interim-results --real-time --addr ${addr}
`);
    const flags = ["-i", recording, "--interim-results", "--real-time", "--addr", addr];
    const client = Bun.spawn([executable, "send", ...flags], {
      cwd: root,
      stdin: "ignore",
      stdout: "inherit",
      stderr: "inherit",
    });
    const code = await client.exited;
    if (code !== 0) throw new DemoError(`the client ended with ${client.signalCode ?? `exit code ${code}`}`);
    await stop(server);
    await logging;
  } catch (error) {
    server.kill("SIGKILL");
    await logging;
    if (error instanceof DemoError && log.length > 0) {
      throw new DemoError(`${error.message}; the end of the server's log:\n${log.join("\n")}`);
    }
    throw error;
  }
}

// Ctrl-C reaches the client as well, which ends the stream gracefully. The demo then stops the server.
process.on("SIGINT", () => undefined);
try {
  const begin = performance.now();
  await demo();
  const seconds = ((performance.now() - begin) / 1000).toFixed(1);
  console.log(`\nThe demo succeeded in ${seconds} s. The server has stopped.`);
} catch (error) {
  if (!(error instanceof DemoError)) throw error;
  console.error(`\nThe demo failed: ${error.message}`);
  process.exitCode = 1;
}
