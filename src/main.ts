import { runCommand } from "citty";

import manifest from "../package.json" with { type: "json" };
import { ignoreRuntimeVariables } from "./commands/runtime-variables.ts";
import { type CommandGroup, type Commands, findCommand, flagsOf } from "./commands/terminal/command-tree.ts";
import { EXIT, ExitError } from "./commands/terminal/exit-codes.ts";
import { formatGroupHelp, formatHelp } from "./commands/terminal/help.ts";
import { columnsOf, writeNotice, writeOutput } from "./commands/terminal/output.ts";
import { nearestName } from "./lib/nearest-name.ts";
import { NativeLibraryError } from "./native/load-failure.ts";

const { version } = manifest;
/** The worker is next to this file, from source and inside the executable. */
const workerUrl = new URL("./worker.ts", import.meta.url).href;

/** Each command is loaded when it is used, so that `--help` is instant. */
const COMMANDS: Commands = {
  serve: {
    description: "Serve a model over WebSocket",
    load: async () => {
      const { serveCommand } = await import("./commands/serve/serve.ts");
      return serveCommand(SERVE_OPTIONS);
    },
  },
  send: {
    description: "Stream an audio file or a microphone to a server and print the results",
    load: async () => (await import("./commands/send/send-command.ts")).sendCommand,
  },
  watch: {
    description: "Print the results of phone calls while people speak",
    load: async () => (await import("./commands/watch/watch-command.ts")).watchCommand,
  },
  health: {
    description: "Check that a server is alive, or ready for streams",
    load: async () => (await import("./commands/health.ts")).healthCommand,
  },
  doctor: {
    description: "Check the machine and the configuration for a server",
    load: async () => (await import("./commands/doctor/doctor-command.ts")).doctorCommand(PROGRAMS),
  },
  bench: {
    description: "Put load on a server, and measure its latency and capacity",
    load: async () => (await import("./commands/bench/bench-command.ts")).benchCommand,
  },
  token: {
    description: "Create tokens, with which clients may connect",
    commands: {
      new: {
        description: "Create a token, and print it and the line for the token file",
        load: async () => (await import("./commands/token/new.ts")).tokenNewCommand,
      },
    },
  },
  model: {
    description: "Create a model of your own, and check it",
    commands: {
      init: {
        description: "Create a model file from a commented template",
        load: async () => (await import("./commands/model/init.ts")).modelInitCommand,
      },
      check: {
        description: "Run the contract checks on a model",
        load: async () => (await import("./commands/model/check.ts")).modelCheckCommand(PROGRAMS),
      },
    },
  },
  config: {
    description: "Help with configuration files",
    commands: {
      schema: {
        description: "Print the JSON Schema of configuration files, for editors",
        load: async () => (await import("./commands/config/schema-command.ts")).configSchemaCommand,
      },
    },
  },
  completion: {
    description: "Print the script that completes command lines in a shell",
    load: async () => (await import("./commands/completion/completion-command.ts")).completionCommand,
  },
  man: {
    description: "Print the manual page",
    load: async () => (await import("./commands/manual/man-command.ts")).manCommand(COMMANDS),
  },
};

/** The command that a supervisor starts its processes with. It is not for people, and not listed. */
const PROCESS_COMMAND = "serve-process";

/** The command that completion scripts ask. */
const COMPLETE_COMMAND = "__complete";

/** The command that runs a model in a process of its own. */
const MODEL_COMMAND = "model-process";

// Not by the path of the executable: a new version may stand there by now.
const PROGRAM = ["/proc/self/exe", ...(Bun.isStandaloneExecutable ? [] : [Bun.main])];

/** How models are run. */
const PROGRAMS = { workerUrl, modelCommand: [...PROGRAM, MODEL_COMMAND] };

const SERVE_OPTIONS = {
  version,
  ...PROGRAMS,
  exit: (code: number) => process.exit(code),
  processCommand: [...PROGRAM, PROCESS_COMMAND],
};

const HELP = new Set(["--help", "-h", "help"]);

/** Returns the help text of a group. `path` is its command line without the program; empty for the program itself. */
function groupHelp(path: readonly string[], { description, commands }: CommandGroup): string {
  const name = ["streamer", ...path].join(" ");
  const footer = `"${name} COMMAND --help" lists the flags of a command.`;
  const isProgram = path.length === 0;
  const help = {
    name,
    title: `${isProgram ? `${name} ${version}` : name}: ${description}`,
    footer: isProgram ? `${footer} "streamer --version" prints the version.` : footer,
    commands: Object.fromEntries(Object.entries(commands).map(([command, { description }]) => [command, description])),
  };
  return formatGroupHelp(help, columnsOf(process.stdout));
}

async function run(path: readonly string[], group: CommandGroup, args: string[]): Promise<void> {
  const [name, ...rest] = args;
  if (name === undefined || HELP.has(name)) {
    await writeOutput(groupHelp(path, group));
    if (name === undefined) throw new ExitError(EXIT.usage);
    return;
  }
  if (path.length === 0 && (name === "--version" || name === "-v")) {
    await writeOutput(`${version}\n`);
    return;
  }
  if (path.length === 0 && name === PROCESS_COMMAND && process.connected) {
    const { serveProcess } = await import("./commands/serve/serve-process.ts");
    return await serveProcess(SERVE_OPTIONS);
  }
  if (path.length === 0 && name === MODEL_COMMAND) {
    const { isModelProcess, modelProcess } = await import("./commands/model-process.ts");
    if (isModelProcess()) return await modelProcess();
  }
  if (path.length === 0 && name === COMPLETE_COMMAND) {
    const { answerRequest } = await import("./commands/completion/request.ts");
    return await answerRequest(COMMANDS, rest);
  }
  const found = findCommand(group.commands, name);
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
    const help = {
      name: ["streamer", ...path, name].join(" "),
      description: found.description,
      flags: await flagsOf(command),
      examples: (await import("./commands/manual/manual.ts")).manualOf([...path, name].join(" ")).examples,
    };
    await writeOutput(formatHelp(help, columnsOf(process.stdout)));
    return;
  }
  // Commands parse their flags themselves, more strictly than citty.
  await runCommand({ ...command, args: {} }, { rawArgs: rest });
}

ignoreRuntimeVariables();
try {
  const description = "serves blocking audio models over a bidirectional streaming API";
  await run([], { description, commands: COMMANDS }, process.argv.slice(2));
  process.exit(EXIT.success);
} catch (error) {
  const isExpected = error instanceof ExitError || error instanceof NativeLibraryError;
  if (!isExpected) console.error(error);
  else if (error.message !== "") await writeNotice(`streamer: ${error.message}`);
  process.exit(error instanceof ExitError ? error.code : EXIT.failure);
}
