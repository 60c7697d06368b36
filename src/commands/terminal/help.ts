import type { ArgsDef } from "citty";

import { shortForm } from "./flags.ts";
import { valueText } from "./value-hint.ts";
import { wrapText } from "./wrapped-text.ts";

/** Widest help text, in characters, on any terminal. */
const MAX_COLUMNS = 100;
/** The description of a flag that is longer than this stands below the flag. */
const MAX_FLAG_WIDTH = 30;
const EXAMPLE_INDENT = 2;
const PURPOSE_INDENT = 6;

/** What the help of a command with commands of its own shows. */
export interface GroupHelp {
  /** The command line, such as `streamer model`. */
  readonly name: string;
  /** What stands before the commands, and after them. */
  readonly title: string;
  readonly footer: string;
  /** Descriptions by command. */
  readonly commands: Readonly<Record<string, string>>;
}

/** Formats the help of a command with commands of its own for a terminal of `columns` columns. */
export function formatGroupHelp({ name, title, footer, commands }: GroupHelp, columns: number): string {
  const width = Math.min(columns, MAX_COLUMNS);
  const rows = Object.entries(commands).map(([command, description]): Row => [`  ${command}`, description]);
  return [
    `${wrapText(title, width)}\n`,
    `Usage: ${name} COMMAND [FLAGS]\n`,
    formatTable("Commands", rows, width),
    `${wrapText(footer, width)}\n`,
  ].join("\n");
}

/** What the help of one command shows. citty 0.2 renders lines as wide as the longest description, in colour. */
export interface CommandHelp {
  /** The command line, such as `streamer model check`. */
  readonly name: string;
  readonly description: string;
  readonly flags: ArgsDef;
  readonly examples?: readonly Example[];
}

/** A command line, of one or more lines, and what it does. */
export interface Example {
  readonly line: string;
  readonly purpose: string;
}

/** Formats the help of a command for a terminal of `columns` columns, without colours. */
export function formatHelp({ name, description, flags, examples = [] }: CommandHelp, columns: number): string {
  const width = Math.min(columns, MAX_COLUMNS);
  const entries = Object.entries(flags);
  const positionals = entries.filter(([, { type }]) => type === "positional");
  const places = positionals.map(([place, { required }]) => ` ${placeText(place, required)}`).join("");
  const rows = (part: typeof entries) => part.map(([key, flag]): Row => [nameText(key, flag), flag.description ?? ""]);
  const usage = positionals.length < entries.length ? `${name}${places} [FLAGS]` : `${name}${places}`;
  return [
    `${wrapText(`${name}: ${description}`, width)}\n`,
    `Usage: ${usage}\n`,
    formatTable("Arguments", rows(positionals), width),
    formatTable("Flags", rows(entries.filter((entry) => !positionals.includes(entry))), width),
    formatExamples(examples, width),
  ]
    .filter((part) => part !== "")
    .join("\n");
}

type Row = readonly [name: string, description: string];

/** Formats a title and rows of two columns. Empty without rows. */
function formatTable(title: string, rows: readonly Row[], width: number): string {
  if (rows.length === 0) return "";
  const short = rows.map(([left]) => left.length).filter((length) => length <= MAX_FLAG_WIDTH);
  const indent = Math.max(0, ...short) + 2;
  const lines = rows.map(([left, right]) => {
    const text = wrapText(right, width, indent);
    return left.length <= MAX_FLAG_WIDTH ? left.padEnd(indent) + text.slice(indent) : `${left}\n${text}`;
  });
  return `${title}:\n${lines.join("\n")}\n`;
}

/** Formats command lines, which are not broken, and what they do. Empty without examples. */
function formatExamples(examples: readonly Example[], width: number): string {
  if (examples.length === 0) return "";
  const texts = examples.map(({ line, purpose }) => {
    const indented = line.replaceAll(/^/gm, " ".repeat(EXAMPLE_INDENT));
    return `${indented}\n${wrapText(purpose, width, PURPOSE_INDENT)}`;
  });
  return `Examples:\n${texts.join("\n")}\n`;
}

/** Formats a flag with its short form and its value, such as `  -i, --input=<FILE>`. */
function nameText(name: string, definition: ArgsDef[string]): string {
  if (definition.type === "positional") return `  ${name.toUpperCase()}`;
  const alias = shortForm(definition);
  const short = alias === undefined ? "    " : `-${alias}, `;
  return `  ${short}--${name}${valueText(definition, (value) => `<${value}>`)}`;
}

/** Formats an argument in a usage: one that may be left out stands in brackets. */
export function placeText(name: string, required = false): string {
  return required ? name.toUpperCase() : `[${name.toUpperCase()}]`;
}
