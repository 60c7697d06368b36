import { readFile, stat, writeFile } from "node:fs/promises";
import { join, parse, relative, resolve } from "node:path";

import type { ArgsDef, CommandDef } from "citty";

import { codeOf, messageOf } from "../../lib/thrown.ts";
import { UsageError } from "../terminal/exit-codes.ts";
import { invalidValue, parseFlags } from "../terminal/flags.ts";
import { writeOutput } from "../terminal/output.ts";
import { DECLARATIONS_FILE, DECLARATIONS_MARK, modelDeclarations } from "./declarations.ts";
import statelessTemplate from "./templates/model.ts" with { type: "text" };
import statefulTemplate from "./templates/stateful-model.ts" with { type: "text" };

const FLAGS = {
  // Not required by citty, which would report a missing one with a stack.
  name: { type: "positional", required: false, description: "Name of the model, such as my-model" },
  stateful: { type: "boolean", description: "Create a model that keeps state from block to block of a stream" },
} as const satisfies ArgsDef;

/** A name that is valid for a file, in a start request and as a configuration key. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

/** The line of the templates that has the model's name. */
const TEMPLATE_NAME = 'name: "my-model"';

export interface InitOptions {
  /** The model's name; a folder before it and `.ts` after it are accepted. */
  readonly name: string;
  readonly stateful: boolean;
  /** The command that runs this program, for the examples. */
  readonly program: string;
  /** The current folder. */
  readonly folder: string;
}

/**
 * Creates a model file from a template, and the type declarations of its interface next to it. Never overwrites a
 * model. Returns the text to print. Throws UsageError.
 */
export async function initModel({ name, stateful, program, folder }: InitOptions): Promise<string> {
  const target = parse(resolve(folder, name));
  const base = target.ext === ".ts" ? target.name : target.base;
  if (!NAME.test(base)) throw invalidValue("name", name, "1 to 64 letters, digits, - and _, such as my-model");
  const [model, declarations] = [join(target.dir, `${base}.ts`), join(target.dir, DECLARATIONS_FILE)];
  const shorten = (path: string): string => {
    const short = relative(folder, path);
    return short.startsWith("..") ? path : `./${short}`;
  };
  if (!(await isFolder(target.dir))) throw new UsageError(`${target.dir}: no such folder`);
  if (!(await isReplaceable(declarations))) {
    throw new UsageError(`${shorten(declarations)} was not created by this command and is not overwritten`);
  }
  const commands = [
    `${program} model check ${shorten(model)}`,
    `${program} serve --model ${shorten(model)}`,
    `${program} send -i RECORDING.wav${stateful ? " --addr ws://localhost:8080/api/v1/stateful" : ""}`,
  ];
  await writeNew(model, shorten(model), modelText(base, stateful, commands));
  await writeFile(declarations, modelDeclarations());
  return `Created ${shorten(model)}, a working model to start from.
Created ${shorten(declarations)}, the types of the model interface.

Next steps:
  ${commands[0]}
  ${commands[1]}
and, while the server runs, in another terminal:
  ${commands[2]}
`;
}

function modelText(name: string, stateful: boolean, commands: readonly string[]): string {
  // The imports give text at run time; the type checker sees modules.
  const template = (stateful ? statefulTemplate : statelessTemplate) as unknown as string;
  return `/// <reference path="./${DECLARATIONS_FILE}" />
// A model for Streamer. ${DECLARATIONS_FILE} documents the interface. Try it:
${commands.map((command) => `//   ${command}`).join("\n")}

${template.replace(TEMPLATE_NAME, `name: ${JSON.stringify(name)}`)}`;
}

async function isFolder(path: string): Promise<boolean> {
  return await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

/** Returns true if the file does not exist, or if this command created it. */
async function isReplaceable(path: string): Promise<boolean> {
  return await readFile(path, "utf8").then(
    (text) => text.startsWith(DECLARATIONS_MARK),
    () => true,
  );
}

async function writeNew(path: string, shortPath: string, text: string): Promise<void> {
  try {
    await writeFile(path, text, { flag: "wx" });
  } catch (error) {
    if (codeOf(error) === "EEXIST") throw new UsageError(`${shortPath} already exists and is not overwritten`);
    throw new UsageError(`${shortPath} cannot be written: ${messageOf(error)}`);
  }
}

/** Returns the command as typed: `./streamer` for the executable, `bun src/main.ts` from source. */
function programName(): string {
  const script = process.argv[1] ?? "";
  return script.startsWith("/$bunfs/") ? process.argv0 : `bun ${relative(process.cwd(), script)}`;
}

export const modelInitCommand: CommandDef = {
  args: FLAGS,
  async run({ rawArgs }) {
    const flags = parseFlags(rawArgs, FLAGS);
    const name = flags.string("name");
    if (name === undefined) throw new UsageError("missing name: for example, model init my-model");
    const text = await initModel({
      name,
      stateful: flags.has("stateful"),
      program: programName(),
      folder: process.cwd(),
    });
    await writeOutput(text);
  },
};
