import { parseArgs } from "node:util";

import type { ArgsDef } from "citty";

import { describeValue } from "../../lib/excerpt.ts";
import { nearestName } from "../../lib/nearest-name.ts";
import { UsageError } from "./exit-codes.ts";
import { isRepeatable, needsNoValue } from "./value-hint.ts";

/** The parsed command line. A positional argument is a flag with the name of its definition. */
export interface GivenFlags {
  /** Returns true if the flag was given. */
  has(name: string): boolean;
  /** Returns the value of a flag, or undefined if it was not given. */
  string(name: string): string | undefined;
  /** Returns all values of a flag that may be repeated, in order. */
  strings(name: string): string[];
}

/**
 * Parses the arguments of a command by its citty definition. Stricter than citty 0.2, which ignores unknown flags and
 * keeps only the last value of a repeated flag. A flag may be repeated, or needs no value, if its `valueHint` says so (see
 * `ValueHint`). Positional arguments are taken in the order of their definitions. Throws UsageError.
 */
export function parseFlags(args: readonly string[], flags: ArgsDef): GivenFlags {
  const isPositional = ([, { type }]: [string, ArgsDef[string]]) => type === "positional";
  const named = Object.entries(flags).filter((entry) => !isPositional(entry));
  const options = Object.fromEntries(named.map(([name, flag]) => [name, optionFor(flag)]));
  const positionals = Object.entries(flags).filter(isPositional);
  const given = new Map<string, (string | true)[]>();
  /** A flag that needs no value, and the place of the argument that would be its value. */
  let open: { readonly name: string; readonly next: number } | undefined;
  for (const token of parseArgs({ args: [...args], options, strict: false, tokens: true }).tokens) {
    if (token.kind === "option-terminator") continue;
    if (token.kind === "positional") {
      const [name] = positionals.shift() ?? (open?.next === token.index ? [open.name] : []);
      if (name === undefined) throw unexpectedArgument(token.value, flags);
      given.set(name, [token.value]);
      continue;
    }
    const option = Object.hasOwn(options, token.name) ? options[token.name] : undefined;
    if (option === undefined) throw unknownFlag(token.rawName, token.name, Object.keys(options));
    const values = given.get(token.name) ?? [];
    if (values.length > 0 && !isRepeatable(flags[token.name] ?? {})) {
      throw new UsageError(`${token.rawName} may be given only once`);
    }
    const isOptional = needsNoValue(flags[token.name] ?? {});
    given.set(token.name, [...values, isOptional ? (token.value ?? true) : valueOf(token, option.type)]);
    if (isOptional && token.value === undefined) open = { name: token.name, next: token.index + 1 };
  }
  const strings = (name: string) => (given.get(name) ?? []).filter((value) => typeof value === "string");
  return {
    has: (name) => given.has(name),
    string: (name) => strings(name)[0],
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

/** Returns the short form of a flag, one letter. */
export function shortForm(definition: ArgsDef[string]): string | undefined {
  const alias = "alias" in definition ? definition.alias : undefined;
  return [alias ?? []].flat().find((alias) => alias.length === 1);
}

function optionFor(definition: ArgsDef[string]): Option {
  const short = shortForm(definition);
  const isBoolean = definition.type === "boolean" || needsNoValue(definition);
  return { type: isBoolean ? "boolean" : "string", ...(short !== undefined && { short }) };
}

function valueOf(token: OptionToken, type: Option["type"]): string | true {
  if (type === "boolean") {
    if (token.value !== undefined) throw new UsageError(`${token.rawName} takes no value`);
    return true;
  }
  // "-" alone is a value, standard input. Other text that starts with a dash is a value only after "=".
  const isValue = token.inlineValue === true || token.value === "-" || token.value?.startsWith("-") === false;
  if (token.value === undefined || !isValue) throw new UsageError(`${token.rawName} needs a value`);
  return token.value;
}

function unknownFlag(typed: string, name: string, known: string[]): UsageError {
  const meant = nearestName(name, known);
  return new UsageError(`unknown flag ${typed}${meant === undefined ? "" : `; did you mean --${meant}?`}`);
}

/** Flags whose value people give by itself, such as a file to `send`, with the values that are meant for them. */
const BARE_VALUES = [
  ["input", /[./]/],
  ["model", /\.(?:py|[cm]?[jt]s)$/],
  ["config", /\.(?:ya?ml|json)$/],
] as const;

function unexpectedArgument(value: string, flags: ArgsDef): UsageError {
  const meant = BARE_VALUES.find(([name, values]) => Object.hasOwn(flags, name) && values.test(value));
  const typed = `unexpected argument '${value}'`;
  return new UsageError(
    meant === undefined || flags[meant[0]]?.type === "positional"
      ? typed
      : `${typed}; did you mean --${meant[0]} ${value}?`,
  );
}

/** Reports a value that is not allowed, such as `--format: found "xml"; allowed: text, json`. */
export function invalidValue(flag: string, value: string, allowed: string): UsageError {
  return new UsageError(`${flag}: found ${describeValue(value)}; allowed: ${allowed}`);
}

/** Parses a whole number from `min` to `max`. Throws UsageError, which names the flag. */
export function parseWhole(flag: string, text: string, min: number, max: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max)) throw invalidValue(flag, text, `a whole number from ${min} to ${max}`);
  return value;
}
