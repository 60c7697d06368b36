import { type ArgsDef, type CommandDef, renderUsage, runCommand } from "citty";

import manifest from "../package.json" with { type: "json" };
import { ExitCode } from "./commands/terminal/exit.ts";
import { nearest } from "./lib/nearest.ts";

const { version } = manifest;
/** Beside this file, from source and inside the executable alike. */
const workerUrl = new URL("./worker.ts", import.meta.url).href;

interface Runnable {
  usage(): Promise<string>;
  run(rawArgs: string[]): Promise<unknown>;
}

/** A command of whatever flags; `parent` is what is typed before its name. */
function runnable<Args extends ArgsDef>(command: CommandDef<Args>, parent = "streamer"): Runnable {
  return {
    usage: () => renderUsage(command, { meta: { name: parent } }),
    run: (rawArgs) => runCommand(command, { rawArgs }),
  };
}

interface Command {
  readonly description: string;
  readonly load: () => Promise<Runnable>;
}

interface Group {
  readonly description: string;
  readonly commands: Commands;
}

type Commands = Readonly<Record<string, Command | Group>>;

/** Loaded when asked for, so that `--help` is instant. */
const COMMANDS: Commands = {
  serve: {
    description: "Serve a model over WebSocket",
    load: async () => runnable((await import("./commands/serve/serve.ts")).serveCommand({ version, workerUrl })),
  },
  send: {
    description: "Stream a file or standard input to a server and show what comes back",
    load: async () => runnable((await import("./commands/send/send.ts")).sendCommand),
  },
  health: {
    description: "Ask a server whether it is well, and say so by the exit code",
    load: async () => runnable((await import("./commands/health.ts")).healthCommand),
  },
  model: {
    description: "Write a model of your own, and check it",
    commands: {
      init: {
        description: "Write a commented starting point for a model",
        load: async () => runnable((await import("./commands/model/init.ts")).modelInitCommand, "streamer model"),
      },
      check: {
        description: "Try a model in a worker, and report in words what it does",
        load: async () =>
          runnable((await import("./commands/model/check.ts")).modelCheckCommand({ workerUrl }), "streamer model"),
      },
    },
  },
};

const HELP = new Set(["--help", "-h", "help"]);

/** What there is below `path`, which is empty for the whole program. */
function usage(path: readonly string[], { description, commands }: Group): string {
  const names = Object.keys(commands);
  const width = Math.max(...names.map((name) => name.length));
  const lines = Object.entries(commands).map(([name, { description }]) => `  ${name.padEnd(width)}  ${description}`);
  const name = ["streamer", ...path].join(" ");
  return `${path.length === 0 ? `${name} ${version}` : name}: ${description}

usage: ${name} COMMAND [flags]

${lines.join("\n")}

${name} COMMAND --help tells more${path.length === 0 ? "; streamer --version the version" : ""}.
`;
}

async function main(path: readonly string[], group: Group, args: string[]): Promise<void> {
  const [name, ...rest] = args;
  if (name === undefined || HELP.has(name)) {
    process.stdout.write(usage(path, group));
    if (name === undefined) throw new ExitCode(2);
    return;
  }
  if (path.length === 0 && (name === "--version" || name === "-v")) {
    process.stdout.write(`${version}\n`);
    return;
  }
  const found = Object.hasOwn(group.commands, name) ? group.commands[name] : undefined;
  if (found === undefined) {
    const meant = nearest(name, Object.keys(group.commands));
    const typed = [...path, name].join(" ");
    throw new ExitCode(2, `unknown command '${typed}'${meant === undefined ? "" : `; did you mean '${meant}'?`}`);
  }
  if ("commands" in found) return main([...path, name], found, rest);
  const command = await found.load();
  if (rest.includes("--help") || rest.includes("-h")) {
    process.stdout.write(`${await command.usage()}\n`);
    return;
  }
  await command.run(rest);
}

try {
  const description = "a blocking audio model behind a bidirectional streaming API";
  await main([], { description, commands: COMMANDS }, process.argv.slice(2));
  process.exit(0);
} catch (error) {
  if (!(error instanceof ExitCode)) {
    console.error(error);
    process.exit(1);
  }
  if (error.message !== "") console.error(`streamer: ${error.message}`);
  process.exit(error.code);
}
