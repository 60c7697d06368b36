import type { ArgsDef } from "citty";

import { type CommandEntry, type CommandGroup, type Commands, findCommand, flagsOf } from "../terminal/command-tree.ts";
import { shortForm } from "../terminal/flags.ts";
import { hintOf, isRepeatable, needsNoValue } from "../terminal/value-hint.ts";
import { behind, type Candidate, type Completion, NOTHING } from "./completion.ts";
import { completeValue } from "./values.ts";

const HELP: Candidate = { value: "--help", description: "Print the help and exit" };
const VERSION: Candidate = { value: "--version", description: "Print the version and exit" };

/**
 * Returns how the last word of a command line can be completed.
 * @param words between the program and the current word, without quotes
 * @param current the part of the current word before the cursor, without quotes; may be empty
 */
export async function completeLine(commands: Commands, words: readonly string[], current: string): Promise<Completion> {
  let place: CommandGroup | CommandEntry = { description: "", commands };
  for (const [index, word] of words.entries()) {
    if (!("commands" in place)) return completeFlags(await flagsOf(await place.load()), words.slice(index), current);
    const found = findCommand(place.commands, word);
    if (found === undefined) return NOTHING;
    place = found;
  }
  if (!("commands" in place)) return completeFlags(await flagsOf(await place.load()), [], current);
  if (current.startsWith("-")) return { ...NOTHING, candidates: words.length === 0 ? [HELP, VERSION] : [HELP] };
  const candidates = Object.entries(place.commands).map(([value, { description }]) => ({ value, description }));
  return { ...NOTHING, candidates };
}

function completeFlags(definitions: ArgsDef, words: readonly string[], current: string): Completion {
  const given = readWords(definitions, words);
  const value = (name: string, text: string) => completeValue(definitions[name] ?? {}, text, given.values);
  const flags = [...flagCandidates(definitions, given.values), HELP];
  if (given.open !== undefined && !/^-./.test(current)) {
    const values = value(given.open, current);
    // A flag that needs no value may be followed by another one.
    return given.isOptional ? { ...values, candidates: [...values.candidates, ...flags] } : values;
  }
  if (given.onlyArguments || !current.startsWith("-") || current === "-") {
    const [name] = given.places;
    if (name !== undefined && current !== "-") return value(name, current);
    if (given.onlyArguments || (current !== "" && current !== "-")) return NOTHING;
  }
  const [, long, text = ""] = /^--([^=]+)=(.*)$/s.exec(current) ?? [];
  if (long !== undefined) {
    return isValued(definitions, long) ? behind(`--${long}=`, value(long, text)) : NOTHING;
  }
  const [, letter = "", rest = ""] = /^-([^-])(.+)$/s.exec(current) ?? [];
  const short = nameOf(definitions, letter);
  if (short !== undefined) return isValued(definitions, short) ? behind(`-${letter}`, value(short, rest)) : NOTHING;
  return { ...NOTHING, candidates: flags };
}

/** What the words of a command line give. */
interface GivenWords {
  /** The values of each flag and argument; empty texts for flags without one. */
  readonly values: ReadonlyMap<string, readonly string[]>;
  /** The flag that the next word is the value of. */
  readonly open: string | undefined;
  /** True: that flag needs no value. */
  readonly isOptional: boolean;
  /** The arguments that are still to come. */
  readonly places: readonly string[];
  /** True behind `--`. */
  readonly onlyArguments: boolean;
}

/** Reads words as `parseFlags` does, and ignores what is wrong with them. */
function readWords(definitions: ArgsDef, words: readonly string[]): GivenWords {
  const values = new Map<string, string[]>();
  const places = Object.keys(definitions).filter((name) => definitions[name]?.type === "positional");
  const add = (name: string, value: string) => void values.set(name, [...(values.get(name) ?? []), value]);
  let open: string | undefined;
  let onlyArguments = false;
  for (const word of words) {
    if (open !== undefined && (!word.startsWith("-") || word === "-")) {
      add(open, word);
      open = undefined;
      continue;
    }
    open = undefined;
    const [, long, text] = /^--([^=]+)(?:=(.*))?$/s.exec(word) ?? [];
    const [, letter = "", rest = ""] = /^-([^-])(.*)$/s.exec(word) ?? [];
    const name = long ?? nameOf(definitions, letter);
    if (word === "--" && !onlyArguments) onlyArguments = true;
    else if (onlyArguments || name === undefined) {
      const place = places.shift();
      if (place !== undefined) add(place, word);
    } else if (!isValued(definitions, name)) add(name, "");
    else if (text !== undefined || rest !== "") add(name, text ?? rest);
    else {
      open = name;
      if (needsNoValue(definitions[name] ?? {})) add(name, "");
    }
  }
  const isOptional = open !== undefined && needsNoValue(definitions[open] ?? {});
  return { values, open, isOptional, places, onlyArguments };
}

/** Returns the flag with a short form. */
function nameOf(definitions: ArgsDef, letter: string): string | undefined {
  return Object.entries(definitions).find(([, flag]) => letter !== "" && shortForm(flag) === letter)?.[0];
}

function isValued(definitions: ArgsDef, name: string): boolean {
  const definition = Object.hasOwn(definitions, name) ? definitions[name] : undefined;
  return definition !== undefined && definition.type !== "positional" && hintOf(definition) !== undefined;
}

/** Returns the flags that may follow: those that were given are left out, unless they may be repeated. */
function flagCandidates(definitions: ArgsDef, given: GivenWords["values"]): Candidate[] {
  return Object.entries(definitions).flatMap(([name, definition]) => {
    if (definition.type === "positional" || (given.has(name) && !isRepeatable(definition))) return [];
    const { description = "" } = definition;
    const short = shortForm(definition);
    const long = { value: `--${name}`, description };
    return short === undefined ? [long] : [{ value: `-${short}`, description }, long];
  });
}
