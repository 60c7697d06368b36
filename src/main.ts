import { stripVTControlCharacters } from "node:util";

import { type ArgsDef, type CommandDef, renderUsage, runCommand } from "citty";

import manifest from "../package.json" with { type: "json" };
import { ignoreRuntimeVariables } from "./commands/runtime-variables.ts";
import { EXIT, ExitError } from "./commands/terminal/exit-codes.ts";
import { nearestName } from "./lib/nearest-name.ts";
import { NativeLibraryError } from "./native/load-failure.ts";

const { version } = manifest;
/** The worker is next to this file, from source and inside the executable. */
const workerUrl = new URL("./worker.ts", import.meta.url).href;

/** A citty command, loaded; its flags may have any definition. */
interface LoadedCommand {
  /** Returns the help text. `path` is the command line without the program, such as ["model", "check"]. */
  usage(path: readonly string[], description: string): Promise<string>;
  run(rawArgs: string[]): Promise<unknown>;
}

function loaded<Args extends ArgsDef>(command: CommandDef<Args>): LoadedCommand {
  return {
    usage: async (path, description) => {
      const parent = ["streamer", ...path.slice(0, -1)].join(" ");
      const meta = { name: path.at(-1) ?? "", description };
      const text = await renderUsage({ ...command, meta }, { meta: { name: parent } });
      // citty 0.2 writes colours into pipes.
      return process.stdout.isTTY && !process.env["NO_COLOR"] ? text : stripVTControlCharacters(text);
    },
    run: (rawArgs) => runCommand(command, { rawArgs }),
  };
}

interface Command {
  readonly description: string;
  readonly load: () => Promise<LoadedCommand>;
}

/** A command that has commands of its own. */
interface CommandGroup {
  readonly description: string;
  readonly commands: Commands;
}

type Commands = Readonly<Record<string, Command | CommandGroup>>;

/** Each command is loaded when it is used, so that `--help` is instant. */
const COMMANDS: Commands = {
  serve: {
    description: "Serve a model over WebSocket",
    load: async () => {
      const { serveCommand } = await import("./commands/serve/serve.ts");
      return loaded(serveCommand({ version, workerUrl, exit: (code) => process.exit(code) }));
    },
  },
  send: {
    description: "Stream an audio file to a server and print the results",
    load: async () => loaded((await import("./commands/send/send-command.ts")).sendCommand),
  },
  health: {
    description: "Check that a server is alive, or ready for streams",
    load: async () => loaded((await import("./commands/health.ts")).healthCommand),
  },
  model: {
    description: "Create a model of your own, and check it",
    commands: {
      init: {
        description: "Create a model file from a commented template",
        load: async () => loaded((await import("./commands/model/init.ts")).modelInitCommand),
      },
      check: {
        description: "Run the contract checks on a model",
        load: async () => loaded((await import("./commands/model/check.ts")).modelCheckCommand({ workerUrl })),
      },
    },
  },
};

const HELP = new Set(["--help", "-h", "help"]);

/** Returns the help text of a group. `path` is its command line without the program; empty for the program itself. */
function groupUsage(path: readonly string[], { description, commands }: CommandGroup): string {
  const names = Object.keys(commands);
  const width = Math.max(...names.map((name) => name.length));
  const lines = Object.entries(commands).map(([name, { description }]) => `  ${name.padEnd(width)}  ${description}`);
  const name = ["streamer", ...path].join(" ");
  const isProgram = path.length === 0;
  return `${isProgram ? `${name} ${version}` : name}: ${description}

Usage: ${name} COMMAND [FLAGS]

Commands:
${lines.join("\n")}

"${name} COMMAND --help" lists the flags of a command.${isProgram ? ' "streamer --version" prints the version.' : ""}
`;
}

async function run(path: readonly string[], group: CommandGroup, args: string[]): Promise<void> {
  const [name, ...rest] = args;
  if (name === undefined || HELP.has(name)) {
    process.stdout.write(groupUsage(path, group));
    if (name === undefined) throw new ExitError(EXIT.usage);
    return;
  }
  if (path.length === 0 && (name === "--version" || name === "-v")) {
    process.stdout.write(`${version}\n`);
    return;
  }
  const found = Object.hasOwn(group.commands, name) ? group.commands[name] : undefined;
  if (found === undefined) {
    const meant = nearestName(name, Object.keys(group.commands));
    const typed = [...path, name].join(" ");
    throw new ExitError(
      EXIT.usage,
      `unknown command '${typed}'${meant === undefined ? "" : `; did you mean '${meant}'?`}`,
    );
  }
  if ("commands" in found) return run([...path, name], found, rest);
  const command = await found.load();
  if (rest.includes("--help") || rest.includes("-h")) {
    process.stdout.write(`${await command.usage([...path, name], found.description)}\n`);
    return;
  }
  await command.run(rest);
}

ignoreRuntimeVariables();
try {
  const description = "serves blocking audio models over a bidirectional streaming API";
  await run([], { description, commands: COMMANDS }, process.argv.slice(2));
  process.exit(EXIT.success);
} catch (error) {
  const isExpected = error instanceof ExitError || error instanceof NativeLibraryError;
  if (!isExpected) console.error(error);
  else if (error.message !== "") console.error(`streamer: ${error.message}`);
  process.exit(error instanceof ExitError ? error.code : EXIT.failure);
}
