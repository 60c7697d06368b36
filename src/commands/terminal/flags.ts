import { parseArgs } from "node:util";

import type { ArgsDef } from "citty";

import { nearest } from "../../lib/nearest.ts";
import { UsageError } from "./exit.ts";

/** What was typed after the command's name. A positional argument is a string under the name of its definition. */
export interface Flags {
  string(name: string): string | undefined;
  /** Whether it was typed at all. */
  boolean(name: string): boolean;
  /** Every value of a flag that may be repeated, in the order typed. */
  strings(name: string): string[];
}

/**
 * Reads the command line of one subcommand by its citty definition, but strictly: citty 0.2 takes unknown flags in silence
 * and keeps only the last of a repeated one. A flag whose `valueHint` ends in "..." may be repeated; positional arguments come
 * in the order of their definitions. Throws UsageError.
 */
export function parseFlags(rawArgs: readonly string[], args: ArgsDef): Flags {
  const isPositional = ([, { type }]: [string, ArgsDef[string]]) => type === "positional";
  const flags = Object.entries(args).filter((entry) => !isPositional(entry));
  const options = Object.fromEntries(flags.map(([name, definition]) => [name, option(definition)]));
  const places = Object.entries(args).filter(isPositional);
  const given = new Map<string, (string | true)[]>();
  for (const token of parseArgs({ args: [...rawArgs], options, strict: false, tokens: true }).tokens) {
    if (token.kind === "option-terminator") continue;
    if (token.kind === "positional") {
      const [name] = places.shift() ?? [];
      if (name === undefined) throw new UsageError(`unexpected argument '${token.value}'`);
      given.set(name, [token.value]);
      continue;
    }
    const kind = Object.hasOwn(options, token.name) ? options[token.name] : undefined;
    if (kind === undefined) throw unknownFlag(token.rawName, token.name, Object.keys(options));
    const values = given.get(token.name) ?? [];
    if (values.length > 0 && args[token.name]?.valueHint?.endsWith("...") !== true) {
      throw new UsageError(`${token.rawName} is given more than once`);
    }
    given.set(token.name, [...values, value(token, kind.type)]);
  }
  const strings = (name: string) => (given.get(name) ?? []).filter((value) => typeof value === "string");
  return {
    string: (name) => strings(name)[0],
    boolean: (name) => given.has(name),
    strings,
  };
}

interface OptionToken {
  rawName: string;
  value: string | undefined;
  inlineValue: boolean | undefined;
}

interface Option {
  type: "string" | "boolean";
  short?: string;
}

function option(definition: ArgsDef[string]): Option {
  const alias = "alias" in definition ? definition.alias : undefined;
  const short = [alias ?? []].flat().find((alias) => alias.length === 1);
  return { type: definition.type === "boolean" ? "boolean" : "string", ...(short !== undefined && { short }) };
}

function value(token: OptionToken, type: Option["type"]): string | true {
  if (type === "boolean") {
    if (token.value !== undefined) throw new UsageError(`${token.rawName} takes no value`);
    return true;
  }
  // A lone "-" is a value: standard input. What else begins with a dash is a flag unless it is bound by "=".
  const bound = token.inlineValue === true || token.value === "-" || token.value?.startsWith("-") === false;
  if (token.value === undefined || !bound) throw new UsageError(`${token.rawName} needs a value`);
  return token.value;
}

function unknownFlag(shown: string, name: string, known: string[]): UsageError {
  const meant = nearest(name, known);
  return new UsageError(`unknown flag ${shown}${meant === undefined ? "" : `; did you mean --${meant}?`}`);
}
