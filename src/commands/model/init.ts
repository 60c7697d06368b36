import { readFile, stat, writeFile } from "node:fs/promises";
import { join, parse, relative, resolve } from "node:path";

import type { ArgsDef, CommandDef } from "citty";

import { codeOf, messageOf } from "../../lib/thrown.ts";
import { UsageError } from "../terminal/exit-codes.ts";
import { invalidValue, parseFlags } from "../terminal/flags.ts";
import { writeOutput } from "../terminal/output.ts";
import { type Language, type ModelKind, PYTHON, TYPESCRIPT } from "./language.ts";

const FLAGS = {
  name: { type: "positional", required: true, valueHint: "NAME", description: "Name of the model, such as my-model" },
  stateful: { type: "boolean", description: "Create a model that keeps state from block to block of a stream" },
  pinned: { type: "boolean", description: "Create a model whose streams stay in a worker, as a streaming recogniser" },
  python: { type: "boolean", description: "Create a model in Python" },
} as const satisfies ArgsDef;

/** A name that is valid for a file, in a start request and as a configuration key. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

export interface InitOptions {
  /** The model's name; a folder before it, and `.ts` or `.py` after it, are accepted. */
  readonly name: string;
  readonly kind: ModelKind;
  /** By default, the extension of the name decides. */
  readonly python?: boolean;
  /** The command that runs this program, for the examples. */
  readonly program: string;
  /** The current folder. */
  readonly folder: string;
}

/** The options of `send` that show what a model of this kind does. */
const SEND_OPTIONS: Readonly<Record<ModelKind, string>> = {
  stateless: "",
  stateful: " --addr ws://localhost:8080/api/v1/stateful",
  pinned: " --addr ws://localhost:8080/api/v1/segmented --interim-results --real-time",
};

/**
 * Creates a model file from a template, and the types of its interface next to it. Never overwrites a model. Returns the
 * text to print. Throws UsageError.
 */
export async function initModel({ name, kind, python = false, program, folder }: InitOptions): Promise<string> {
  const target = parse(resolve(folder, name));
  const language = python || target.ext === PYTHON.extension ? PYTHON : TYPESCRIPT;
  const base = target.ext === language.extension ? target.name : target.base;
  checkName(base, name, language);
  const model = join(target.dir, `${language.fileName(base)}${language.extension}`);
  const types = join(target.dir, language.typesFile);
  const shorten = (path: string): string => {
    const short = relative(folder, path);
    return short.startsWith("..") ? path : `./${short}`;
  };
  if (!(await isFolder(target.dir))) throw new UsageError(`${target.dir}: no such folder`);
  if (!(await isReplaceable(types, language.typesMark))) {
    throw new UsageError(`${shorten(types)} was not created by this command and is not overwritten`);
  }
  const commands = [
    `${program} model check ${shorten(model)}`,
    `${program} serve --model ${shorten(model)}`,
    `${program} send -i RECORDING.wav${SEND_OPTIONS[kind]}`,
  ];
  await writeNew(model, shorten(model), language.modelText(base, kind, commands));
  await writeFile(types, language.types());
  return `Created ${shorten(model)}, a working model to start from.
Created ${shorten(types)}, the types of the model interface.
${language.needs === undefined ? "" : `\n${language.needs}\n`}
Next steps:
  ${commands[0]}
  ${commands[1]}
and, while the server runs, in another terminal:
  ${commands[2]}
`;
}

function checkName(base: string, given: string, { takenNames, fileName, extension }: Language): void {
  if (!NAME.test(base)) throw invalidValue("name", given, "1 to 64 letters, digits, - and _, such as my-model");
  if (!takenNames.includes(fileName(base))) return;
  const file = `${fileName(base)}${extension}`;
  throw invalidValue("name", given, `another name, because ${file} would hide a module that the model imports`);
}

async function isFolder(path: string): Promise<boolean> {
  return await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

/** Returns true if the file does not exist, or if this command created it. */
async function isReplaceable(path: string, mark: string): Promise<boolean> {
  return await readFile(path, "utf8").then(
    (text) => text.startsWith(mark),
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
    if (flags.has("stateful") && flags.has("pinned")) {
      throw new UsageError("--stateful and --pinned exclude each other: see the table of models in docs/models.md");
    }
    const text = await initModel({
      name,
      kind: flags.has("pinned") ? "pinned" : flags.has("stateful") ? "stateful" : "stateless",
      python: flags.has("python"),
      program: programName(),
      folder: process.cwd(),
    });
    await writeOutput(text);
  },
};
