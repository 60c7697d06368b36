import { readFile, stat, writeFile } from "node:fs/promises";
import { join, parse, relative, resolve } from "node:path";

import { defineCommand } from "citty";

import { UsageError } from "../terminal/exit.ts";
import { parseFlags } from "../terminal/flags.ts";
import pieces from "./templates/model.ts" with { type: "text" };
import stateful from "./templates/stateful-model.ts" with { type: "text" };
import { modelTypes, TYPES_FILE, TYPES_MARK } from "./types.ts";

const ARGS = {
  name: { type: "positional", required: false, description: "Of the model, such as my-model" },
  stateful: { type: "boolean", description: "A model that carries a state from block to block of a stream" },
} as const;

/** Fit for a file, for a start message and for a key of the configuration. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

/** The name that the templates have. */
const TEMPLATE_NAME = 'name: "my-model"';

export interface InitOptions {
  /** `my-model`, also with a folder before it or `.ts` after it. */
  readonly name: string;
  readonly stateful: boolean;
  /** How this program is called here. */
  readonly program: string;
  /** Names are relative to it. */
  readonly folder: string;
}

/** Writes a model and the types of its interface beside it. Returns what to say. Throws UsageError; overwrites no model. */
export async function initModel({ name, stateful, program, folder }: InitOptions): Promise<string> {
  const asked = parse(resolve(folder, name));
  const base = asked.ext === ".ts" ? asked.name : asked.base;
  if (!NAME.test(base)) {
    throw new UsageError(`model init ${name}: allowed is a name of letters, digits, - and _, such as my-model`);
  }
  const [model, types] = [join(asked.dir, `${base}.ts`), join(asked.dir, TYPES_FILE)];
  const shown = (path: string): string => {
    const short = relative(folder, path);
    return short.startsWith("..") ? path : `./${short}`;
  };
  if (!(await isFolder(asked.dir))) throw new UsageError(`model init ${name}: there is no folder ${asked.dir}`);
  if (!(await isOurs(types))) throw new UsageError(`${shown(types)} is not written by this command; it is left alone`);
  const commands = [
    `${program} model check ${shown(model)}`,
    `${program} serve --model ${shown(model)}`,
    `${program} send -i RECORDING.wav${stateful ? " --addr ws://localhost:8080/api/v1/stateful" : ""}`,
  ];
  await writeNew(model, shown(model), modelText(base, stateful, commands));
  await writeFile(types, modelTypes());
  return `${shown(model)} is a model that works: make it yours.
${shown(types)} is the interface, for you and your editor.

Then type:
  ${commands[0]}
  ${commands[1]}
and, while that runs, in another terminal:
  ${commands[2]}
`;
}

function modelText(name: string, isStateful: boolean, commands: readonly string[]): string {
  // The loader gives text, where the type checker sees the module.
  const template = (isStateful ? stateful : pieces) as unknown as string;
  const typed = commands.map((command) => `//   ${command}`).join("\n");
  return `/// <reference path="./${TYPES_FILE}" />
// A model for Streamer; the interface is explained in ${TYPES_FILE}. To try it:
${typed}

${template.replace(TEMPLATE_NAME, `name: ${JSON.stringify(name)}`)}`;
}

async function isFolder(path: string): Promise<boolean> {
  return await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

/** True for a file that is not there, or that this command has written. */
async function isOurs(path: string): Promise<boolean> {
  return await readFile(path, "utf8").then(
    (text) => text.startsWith(TYPES_MARK),
    () => true,
  );
}

async function writeNew(path: string, shown: string, text: string): Promise<void> {
  try {
    await writeFile(path, text, { flag: "wx" });
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "EEXIST") throw new UsageError(`${shown} is already there; it is left alone`);
    throw new UsageError(`${shown} cannot be written: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** As it was typed: `./streamer` for the executable, `bun src/main.ts` from source. */
function programName(): string {
  const script = process.argv[1] ?? "";
  return script.startsWith("/$bunfs/") ? process.argv0 : `bun ${relative(process.cwd(), script)}`;
}

export const modelInitCommand = defineCommand({
  meta: { name: "init", description: "Write a commented starting point for a model" },
  args: ARGS,
  async run({ rawArgs }) {
    const flags = parseFlags(rawArgs, ARGS);
    const name = flags.string("name");
    if (name === undefined) throw new UsageError("say what to call the model: model init my-model");
    const said = await initModel({
      name,
      stateful: flags.boolean("stateful"),
      program: programName(),
      folder: process.cwd(),
    });
    process.stdout.write(said);
  },
});
