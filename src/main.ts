import { type ArgsDef, type CommandDef, renderUsage, runCommand } from "citty";

import manifest from "../package.json" with { type: "json" };
import { ExitCode } from "./commands/exit.ts";
import { nearest } from "./lib/nearest.ts";

const { version } = manifest;
/** Beside this file, from source and inside the executable alike. */
const workerUrl = new URL("./worker.ts", import.meta.url).href;

interface Runnable {
  usage(): Promise<string>;
  run(rawArgs: string[]): Promise<unknown>;
}

/** A command of whatever flags. */
function runnable<Args extends ArgsDef>(command: CommandDef<Args>): Runnable {
  return {
    usage: () => renderUsage(command, { meta: { name: "streamer" } }),
    run: (rawArgs) => runCommand(command, { rawArgs }),
  };
}

/** Loaded when asked for, so that `--help` is instant. */
const COMMANDS: Record<string, { readonly description: string; readonly load: () => Promise<Runnable> }> = {
  serve: {
    description: "Serve a model over WebSocket",
    load: async () => runnable((await import("./commands/serve.ts")).serveCommand({ version, workerUrl })),
  },
  send: {
    description: "Stream a file or standard input to a server and show what comes back",
    load: async () => runnable((await import("./commands/send.ts")).sendCommand),
  },
};

const HELP = new Set(["--help", "-h", "help"]);

function usage(): string {
  const names = Object.keys(COMMANDS);
  const width = Math.max(...names.map((name) => name.length));
  const commands = Object.entries(COMMANDS).map(([name, { description }]) => `  ${name.padEnd(width)}  ${description}`);
  return `streamer ${version}: a blocking audio model behind a bidirectional streaming API

usage: streamer COMMAND [flags]

${commands.join("\n")}

streamer COMMAND --help tells more; streamer --version the version.
`;
}

async function main(args: string[]): Promise<void> {
  const [name, ...rest] = args;
  if (name === undefined || HELP.has(name)) {
    process.stdout.write(usage());
    if (name === undefined) throw new ExitCode(2);
    return;
  }
  if (name === "--version" || name === "-v") {
    process.stdout.write(`${version}\n`);
    return;
  }
  const found = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (found === undefined) {
    const meant = nearest(name, Object.keys(COMMANDS));
    throw new ExitCode(2, `unknown command '${name}'${meant === undefined ? "" : `; did you mean '${meant}'?`}`);
  }
  const command = await found.load();
  if (rest.includes("--help") || rest.includes("-h")) {
    process.stdout.write(`${await command.usage()}\n`);
    return;
  }
  await command.run(rest);
}

try {
  await main(process.argv.slice(2));
  process.exit(0);
} catch (error) {
  if (!(error instanceof ExitCode)) {
    console.error(error);
    process.exit(1);
  }
  if (error.message !== "") console.error(`streamer: ${error.message}`);
  process.exit(error.code);
}
