// Serves a speech recogniser, streams a recording of two speakers to it in real time, and prints their words:
//
//   bun scripts/demo.ts [--simulated]
//
// The recogniser is examples/moonshine, whose packages are installed first, once. Where that fails, and with
// --simulated, the simulated model is served.

import { join, relative } from "node:path";

import { SignalRepeats } from "../src/commands/terminal/signal-repeats.ts";
import { buildExecutable } from "./build.ts";
import { DemoServer, ServerFault } from "./demo-server.ts";
import { ExamplePackages, PACKAGE_SOURCES } from "./example-packages.ts";

const root = join(import.meta.dir, "..");
const recording = join("tests", "data", "two-speakers-48k.wav");

/** Two speakers, each with interim results: more workers would only take longer to load. */
const WORKERS = "model.workers=2";
/** What the packages of the recogniser need. */
const DOWNLOAD = "60 MB to download, 180 MB on disk";
/** Exit code after Ctrl-C, as shells have it. */
const INTERRUPTED_EXIT = 130;

/** A failure that is explained by its message: it is printed without a stack. */
class DemoError extends Error {}

/** Ctrl-C, or another signal to end. */
class Interrupted extends Error {
  readonly signal: NodeJS.Signals;

  constructor(signal: NodeJS.Signals) {
    super(`interrupted by ${signal}`);
    this.signal = signal;
  }
}

/** What is served. */
interface Served {
  readonly server: DemoServer;
  readonly command: string;
  readonly introduction: string;
}

const RECORDING = `A stereo recording of two speakers is sent in real time, as from two microphones.
[0] is the left channel, where somebody reads from a novel.
[1] is the right one, where others give an order and name playing cards.`;

const WORDS = `${RECORDING}
Their words arrive while they are still talking. Times are seconds of audio.`;

const COUNTS = `${RECORDING}
In place of words, the simulated model returns the number of samples that it got. Times are seconds of audio.`;

/** Runs the demo with the example in a folder, or with the simulated model. Rejects with the reason of `signal`. */
export async function runDemo(example: string | undefined, signal: AbortSignal): Promise<void> {
  const executable = await buildExecutable();
  signal.throwIfAborted();
  const served =
    (example === undefined ? undefined : await serveExample(executable, example, signal)) ??
    (await serveSimulated(executable, signal));
  await using server = served.server;
  const send = ["send", "-i", recording, "--interim-results", "--real-time"];
  console.log(`
${served.introduction}

$ ./streamer ${served.command}
$ ./streamer ${send.join(" ")}
`);
  const addr = `ws://${server.address}/api/v1/segmented`;
  const ending = await runClient([executable, ...send, "--addr", addr], signal);
  await server.stop();
  signal.throwIfAborted();
  if (ending === undefined) return;
  throw new DemoError(`the client ended with ${ending}; the end of the server's log:\n${await server.log()}`);
}

async function serveSimulated(executable: string, signal: AbortSignal): Promise<Served> {
  const server = await DemoServer.start(executable, ["--model", "simulated"], root, signal);
  return { server, command: "serve --model simulated", introduction: COUNTS };
}

/** Returns undefined if the example cannot be served, which is explained on standard error. */
async function serveExample(executable: string, folder: string, signal: AbortSignal): Promise<Served | undefined> {
  const packages = new ExamplePackages(folder);
  const args = ["--model", relative(root, join(folder, "model.ts")), "--set", WORKERS];
  const problems: string[] = [];
  for (const source of PACKAGE_SOURCES) {
    const problem = await packages.install(source, signal, () => {
      const what = source === "kept" ? "installing" : "its packages are damaged, so installing anew";
      note(`demo: ${what} the speech recogniser of ${relative(root, folder)} (${DOWNLOAD})`);
    });
    if (problem !== undefined) {
      problems.push(`its packages cannot be installed: ${problem}`);
      break;
    }
    try {
      note("demo: starting a server, which loads the speech recogniser");
      const server = await DemoServer.start(executable, args, root, signal);
      return { server, command: `serve ${args.join(" ")}`, introduction: WORDS };
    } catch (error) {
      if (!(error instanceof ServerFault)) throw error;
      problems.push(error.message);
      if (!error.isOfModel) break;
    }
  }
  note("demo: the speech recogniser cannot be served, so the simulated model runs instead:");
  for (const problem of new Set(problems)) note(`  ${problem}`);
  note("Run this again when that is mended. `npm run demo -- --simulated` needs no packages.");
  return undefined;
}

/** Prints a line on standard error. `console.error` would colour it as an error. */
function note(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Runs the client up to its end. Returns how it ended, if not well. */
async function runClient(command: string[], signal: AbortSignal): Promise<string | undefined> {
  const client = Bun.spawn(command, { cwd: root, stdin: "ignore", stdout: "inherit", stderr: "inherit" });
  const interrupt = (): void => {
    // A terminal sends Ctrl-C to the client, too, which ends the stream gracefully, and at once when it gets another.
    const { signal: name } = signal.reason as Interrupted;
    if (name !== "SIGINT" || !process.stdin.isTTY) client.kill(name);
  };
  signal.addEventListener("abort", interrupt);
  await client.exited;
  signal.removeEventListener("abort", interrupt);
  return client.exitCode === 0 ? undefined : String(client.signalCode ?? `exit code ${client.exitCode}`);
}

/** Returns a signal that is aborted by Ctrl-C and its like. A second one ends this process and its server at once. */
function interruption(): AbortSignal {
  const controller = new AbortController();
  const repeats = new SignalRepeats();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(name, () => {
      const kind = repeats.receive();
      if (kind === "first") controller.abort(new Interrupted(name));
      if (kind !== "second") return;
      DemoServer.killAll();
      process.exit(INTERRUPTED_EXIT);
    });
  }
  return controller.signal;
}

async function main(args: readonly string[]): Promise<void> {
  const begin = performance.now();
  const [flag, ...others] = args;
  if ((flag !== undefined && flag !== "--simulated") || others.length > 0) {
    throw new DemoError(`found ${args.join(" ")}; usage: npm run demo [-- --simulated]`);
  }
  const signal = interruption();
  await runDemo(flag === undefined ? join(root, "examples", "moonshine") : undefined, signal);
  console.log(`\nThe demo succeeded in ${((performance.now() - begin) / 1000).toFixed(1)} s. The server has stopped.`);
}

if (import.meta.main) {
  try {
    await main(process.argv.slice(2));
  } catch (error) {
    if (error instanceof Interrupted) {
      note("\nThe demo was interrupted. Nothing of it runs any more.");
      process.exitCode = INTERRUPTED_EXIT;
    } else if (error instanceof DemoError || error instanceof ServerFault) {
      console.error(`\nThe demo failed: ${error.message}`);
      process.exitCode = 1;
    } else throw error;
  }
}
