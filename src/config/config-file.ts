import { readFileSync } from "node:fs";
import { extname, resolve } from "node:path";

import { describeValue } from "../lib/excerpt.ts";
import { messageOf } from "../lib/thrown.ts";
import { findJsonFault } from "./json-fault.ts";

/** The languages of configuration files, by extension. Any other file is JSON. */
const PARSERS: Readonly<Record<string, (text: string) => unknown>> = {
  ".yaml": Bun.YAML.parse,
  ".yml": Bun.YAML.parse,
  ".toml": Bun.TOML.parse,
  ".json5": Bun.JSON5.parse,
};

/** Content of a configuration file, or one sentence about why there is none, with line and column if it is not valid. */
export type FileContent = { readonly value: unknown } | { readonly problem: string };

export function readConfigFile(file: string): FileContent {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    return { problem: `${file}: cannot be read: ${messageOf(error)}` };
  }
  if (isUtf16(bytes)) return { problem: `${file}: found text in UTF-16; allowed: UTF-8` };
  // Removes a byte order mark, with which some editors begin a file.
  const text = new TextDecoder("utf-8").decode(bytes);
  const parse = PARSERS[extname(file).toLowerCase()];
  try {
    return { value: (parse ?? JSON.parse)(text) };
  } catch (error) {
    return { problem: parse === undefined ? jsonProblem(file, text, error) : loaderProblem(file, error) };
  }
}

function isUtf16([first, second]: Uint8Array): boolean {
  return (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
}

function jsonProblem(file: string, text: string, error: unknown): string {
  const fault = findJsonFault(text);
  if (fault === undefined) return `${file}: cannot be read: ${messageOf(error)}`;
  const before = text.slice(0, fault.offset).split("\n");
  const column = (before.at(-1)?.length ?? 0) + 1;
  const character = text.codePointAt(fault.offset);
  const found = character === undefined ? "the end of the file" : describeValue(String.fromCodePoint(character));
  const hint = isJson5(text) ? "; it is valid JSON5, which needs the extension .json5" : "";
  return `${file}:${before.length}:${column}: found ${found}; allowed: ${fault.allowed}${hint}`;
}

function isJson5(text: string): boolean {
  try {
    Bun.JSON5.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Loads the file once more as a module: only then does Bun 1.4.5 say where the fault is. */
function loaderProblem(file: string, error: unknown): string {
  try {
    import.meta.require(resolve(file));
  } catch (fault) {
    const { message, position } = fault as Partial<BuildMessage>;
    if (position) return `${file}:${position.line}:${position.column}: ${message}`;
  }
  return `${file}: cannot be read: ${messageOf(error)}`;
}
