// Starts the built executable as a server, streams the sample to it in real time, and shows what comes back.

import { join } from "node:path";

import { buildExecutable } from "./build.ts";

const root = join(import.meta.dir, "..");
const sample = join("tests", "data", "two-speakers-48k.wav");

const START_MS = 30_000;
const STOP_MS = 15_000;
/** Of a server's log, what is shown when it fails. */
const LOG_LINES = 20;

const LISTENING = /^listening on http:\/\/(\S+)$/;

/** What a person can act on; shown without a stack. */
class DemoError extends Error {}

type Server = Bun.Subprocess<"ignore", "pipe", "pipe">;

/** Collects the last lines of a stream; resolves when it ends. */
async function lastLines(stream: ReadableStream<Uint8Array>, lines: string[]): Promise<void> {
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

/** The host and port that the server says it listens on. */
async function listening(server: Server): Promise<string> {
  const timer = setTimeout(() => server.kill("SIGKILL"), START_MS);
  try {
    for await (const line of linesOf(server.stdout)) {
      const [, host] = LISTENING.exec(line) ?? [];
      if (host !== undefined) return host;
    }
  } finally {
    clearTimeout(timer);
  }
  throw new DemoError(`the server ended, or took more than ${START_MS / 1000} s, before it listened`);
}

async function stopped(server: Server): Promise<void> {
  const timer = setTimeout(() => server.kill("SIGKILL"), STOP_MS);
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
  const logged = lastLines(server.stderr, log);
  try {
    const addr = `ws://${await listening(server)}/api/v1/segmented`;
    console.log(`
Two people speak, one on each side of a stereo recording: [0] is the left side, [1] the right. The audio goes to the
server at the pace of speech, and results come back while it is being sent. Times are seconds of audio.

$ ./streamer send -i ${sample} --interim-results --real-time --addr ${addr}
`);
    const client = Bun.spawn([executable, "send", "-i", sample, "--interim-results", "--real-time", "--addr", addr], {
      cwd: root,
      stdin: "ignore",
      stdout: "inherit",
      stderr: "inherit",
    });
    const code = await client.exited;
    if (code !== 0) throw new DemoError(`the client ended with ${client.signalCode ?? `exit code ${code}`}`);
    await stopped(server);
    await logged;
  } catch (error) {
    server.kill("SIGKILL");
    await logged;
    if (error instanceof DemoError && log.length > 0) {
      throw new DemoError(`${error.message}; the end of the server's log:\n${log.join("\n")}`);
    }
    throw error;
  }
}

// Ctrl-C reaches the client too, which ends the stream in order; the demo goes on to stop the server.
process.on("SIGINT", () => undefined);
try {
  const begin = performance.now();
  await demo();
  console.log(
    `\nThe demo went well: ${((performance.now() - begin) / 1000).toFixed(1)} s, and the server has stopped.`,
  );
} catch (error) {
  if (!(error instanceof DemoError)) throw error;
  console.error(`\nThe demo failed: ${error.message}`);
  process.exitCode = 1;
}
