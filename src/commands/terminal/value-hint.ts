import type { ArgsDef } from "citty";

/**
 * The values of a flag, an argument or a setting, as its hint says. A hint has alternatives between vertical bars:
 *
 * - a word in lower case, such as `json`, is a value;
 * - `FILE` and `DIR` are paths, `MODEL` is a built-in model, `KEY=VALUE` a setting of the server, `FIELD=VALUE` a field of
 *   a start, `SETTING=VALUE` a setting of a model; other words in capitals are free text;
 * - `unix:PATH` is a path behind a word;
 * - `[,...]` at the end makes it a list, separated by commas; `...` at the very end says that the flag may be repeated;
 * - a hint in brackets, such as `[DEVICE]`, says that the flag may have a value or none.
 */
export interface ValueHint {
  /** Values that can be written as they are. */
  readonly words: readonly string[];
  /** What else the value may be, such as `FILE`. */
  readonly places: readonly string[];
  /** Words that stand before a path, such as `unix:`. */
  readonly prefixes: readonly string[];
  readonly isList: boolean;
}

const WORD = /^[a-z0-9][a-z0-9._-]*$/;
const PREFIXED = /^([a-z]+:)PATH$/;
/** Stands behind the hint of a flag that may be repeated. */
const REPEATED = "...";
/** Brackets around a whole hint. */
const OPTIONAL = /^\[([^,\]]*)\]$/;
const LIST = /\[,[^\]]*\]$/;

export function parseValueHint(hint: string): ValueHint {
  const single = withoutRepetition(hint.replace(OPTIONAL, "$1"));
  const alternatives = single.replace(LIST, "").split("|");
  return {
    words: alternatives.filter((each) => WORD.test(each)),
    places: alternatives.filter((each) => /^[A-Z]/.test(each)),
    prefixes: alternatives.flatMap((each) => PREFIXED.exec(each)?.[1] ?? []),
    isList: LIST.test(single),
  };
}

/**
 * Returns what follows a flag in texts: an equals sign and the value, in brackets if it may be left out; empty for a
 * switch. @param format the value, which is shown in its own way
 */
export function valueText(definition: ArgsDef[string], format: (value: string) => string): string {
  const hint = hintOf(definition);
  if (hint === undefined) return "";
  const value = format(withoutRepetition(hint.replace(OPTIONAL, "$1")));
  return needsNoValue(definition) ? `[=${value}]` : `=${value}`;
}

/** Returns true for a flag that may have a value or none. */
export function needsNoValue({ valueHint = "" }: ArgsDef[string]): boolean {
  return OPTIONAL.test(valueHint);
}

/** Returns the hint of a flag or an argument; undefined: the flag takes no value. */
export function hintOf(definition: ArgsDef[string]): string | undefined {
  const { type, valueHint } = definition;
  if (type === "boolean") return undefined;
  return valueHint ?? (type === "enum" ? (definition.options ?? []).join("|") : "VALUE");
}

/** Returns true if the flag may be given several times. */
export function isRepeatable({ valueHint }: ArgsDef[string]): boolean {
  return valueHint?.endsWith(REPEATED) === true;
}

function withoutRepetition(hint: string): string {
  return hint.endsWith(REPEATED) ? hint.slice(0, -REPEATED.length) : hint;
}
