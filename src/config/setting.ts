/** A setting: its default value, its unit, the values that it accepts and what it means. */
export type Setting = NumberSetting | TextSetting | ListSetting;

/** Most texts of one list, and characters of one text. */
export const MAX_ITEMS = 1_000;
export const MAX_CHARACTERS = 4_096;

export interface NumberSetting {
  readonly default: number | "auto";
  /** Smallest and largest accepted value. */
  readonly min: number;
  readonly max: number;
  /** True: fractions are accepted. False: whole numbers only. */
  readonly fraction: boolean;
  /** The word `auto` is accepted, too. A function returns the number that takes its place, by the other settings. */
  readonly auto?: true | ComputeAuto;
  /** The default in words, if it depends on the machine. */
  readonly usual?: string;
  readonly unit: string;
  readonly meaning: string;
}

/** @param valueOf returns the value of another setting by its dotted key */
export type ComputeAuto = (valueOf: (key: string) => unknown) => AutoValue;

/** The number in the place of `auto`, and why it is this one, in a few words. */
export interface AutoValue {
  readonly value: number;
  readonly reason: string;
}

export interface TextSetting<Text extends string = string> {
  readonly default: Text;
  /** The accepted values; undefined: any text of 1 to 4096 characters. */
  readonly choices?: readonly Text[];
  /** Converts other spellings of a value to the one that the server uses. */
  readonly spell?: (given: string) => string;
  /** Other names of choices. */
  readonly aliases?: Readonly<Record<string, Text>>;
  /** A check beyond `choices`, and what it accepts, as the words after "allowed: ". */
  readonly format?: TextFormat;
  /** What stands for the value in a hint, such as `none|FILE`; by default `TEXT`. */
  readonly hint?: string;
  readonly unit: "";
  readonly meaning: string;
}

/** A list of texts: an array in a file, separated by commas in the environment and on the command line. */
export interface ListSetting {
  readonly default: readonly string[];
  /** The form of each text of the list. */
  readonly items: TextFormat;
  /** Converts other spellings of a text to the one that the server uses. */
  readonly spell?: (given: string) => string;
  readonly unit: "";
  readonly meaning: string;
}

/** The form of a text. */
export interface TextFormat {
  /** What is accepted, as the words after "allowed: "; of the texts of a list, in the plural. */
  readonly allowed: string;
  /**
   * A regular expression, as in a JSON Schema, that every text that is accepted matches before it is spelled in another
   * way. If `isExact`, it matches no others. It has no lookaround and no `\\u`, which RE2 does not know.
   */
  readonly pattern: string;
  readonly isExact: boolean;
  /** All texts that are accepted, if they can be counted. */
  readonly choices?: readonly string[];
  accepts(text: string): boolean;
}

export function whole(
  initial: number,
  min: number,
  max: number,
  unit: string,
  meaning: string,
): NumberSetting & { readonly default: number } {
  return { default: initial, min, max, fraction: false, unit, meaning };
}

export function real(
  initial: number,
  min: number,
  max: number,
  unit: string,
  meaning: string,
): NumberSetting & { readonly default: number } {
  return { default: initial, min, max, fraction: true, unit, meaning };
}

export function text(initial: string, meaning: string, spell?: (given: string) => string): TextSetting {
  return { default: initial, unit: "", meaning, ...(spell && { spell }) };
}

/** A file, or `none`. */
export function file(meaning: string): TextSetting {
  return { ...text("none", meaning), hint: "none|FILE" };
}

/** A switch. In files, `true` and `false` are `on` and `off`. */
export function flag(initial: "on" | "off", meaning: string): TextSetting<"on" | "off"> {
  return choice(initial, ["on", "off"], meaning, { true: "on", false: "off" });
}

/** @param aliases other names of choices */
export function choice<Text extends string>(
  initial: Text,
  choices: readonly Text[],
  meaning: string,
  aliases: Readonly<Record<string, NoInfer<Text>>> = {},
): TextSetting<Text> {
  const spell = (given: string) => {
    const name = given.toLowerCase();
    return Object.hasOwn(aliases, name) ? (aliases[name] ?? name) : name;
  };
  return { default: initial, choices, aliases, unit: "", meaning, spell };
}

/** Returns a regular expression, as in a JSON Schema, for these words in any case. */
export function anyCase(words: readonly string[]): string {
  const letter = (each: string) => (/[a-z]/.test(each) ? `[${each.toUpperCase()}${each}]` : each);
  return `^(?:${words.map((word) => word.replaceAll(/./g, letter)).join("|")})$`;
}

export function list(items: TextFormat, meaning: string, spell?: (given: string) => string): ListSetting {
  return { default: [], items, unit: "", meaning, ...(spell && { spell }) };
}

/** Returns the values of a setting as the hint of a flag has them. */
export function settingHint(setting: Setting): string {
  if ("min" in setting) return setting.auto === undefined ? "N" : "N|auto";
  if ("items" in setting) return `${setting.items.choices?.join("|") ?? "TEXT"}[,...]`;
  return setting.choices?.join("|") ?? setting.hint ?? "TEXT";
}

/** Describes the accepted values, as the words after "allowed: ". */
export function describeAllowed(setting: Setting): string {
  if ("min" in setting) {
    const number = `a ${setting.fraction ? "number" : "whole number"} from ${setting.min} to ${setting.max}`;
    return setting.auto !== undefined ? `${number}, or auto` : number;
  }
  if ("items" in setting) return `a list of at most ${MAX_ITEMS} ${setting.items.allowed}`;
  if (setting.format !== undefined) return setting.format.allowed;
  return setting.choices === undefined
    ? `a text of 1 to ${MAX_CHARACTERS} characters`
    : `one of ${setting.choices.join(", ")}`;
}

/**
 * Returns what a text from the environment or the command line means: its texts, if the setting is a list; a JSON array
 * is one, too. An empty text is an empty list.
 */
export function splitText(setting: Setting, given: string): unknown {
  if (!("items" in setting)) return given;
  const array = parseArray(given);
  if (array !== undefined) return array;
  return given.trim() === "" ? [] : given.split(",").map((item) => item.trim());
}

/** Returns the array that a text is in JSON; undefined: it is none, such as the address `[::1]`. */
function parseArray(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Returns a value in the spelling that the server uses. Returns values of another type unchanged. */
export function canonical(setting: Setting, value: unknown): unknown {
  if ("min" in setting) return value;
  const spell = (item: unknown): unknown => (typeof item === "string" ? (setting.spell?.(item) ?? item) : item);
  if ("items" in setting) return Array.isArray(value) ? value.map(spell) : spell(value);
  // A switch: of the choices, only those of one have names that are truth values.
  const chosen = typeof value === "boolean" ? spell(String(value)) : spell(value);
  return typeof value === "boolean" && !(setting.choices ?? []).some((choice) => choice === chosen) ? value : chosen;
}

/** The part of a value that a setting does not accept: the value itself, or the text of a list. */
export interface Misfit {
  readonly found: unknown;
}

/** Returns why a value is not accepted; undefined: it has the setting's type and is within its range. */
export function findMisfit(setting: Setting, value: unknown): Misfit | undefined {
  if (!("items" in setting)) return accepts(setting, value) ? undefined : { found: value };
  if (!Array.isArray(value) || value.length > MAX_ITEMS) return { found: value };
  const items: readonly unknown[] = value;
  const misfit = items.findIndex((item) => !isText(item) || !setting.items.accepts(item));
  return misfit === -1 ? undefined : { found: items[misfit] };
}

function accepts(setting: NumberSetting | TextSetting, value: unknown): boolean {
  if ("min" in setting) {
    if (value === "auto") return setting.auto !== undefined;
    if (typeof value !== "number" || !(value >= setting.min && value <= setting.max)) return false;
    return setting.fraction || Number.isInteger(value);
  }
  return isText(value) && (setting.choices?.includes(value) ?? true) && (setting.format?.accepts(value) ?? true);
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value.length > 0 && value.length <= MAX_CHARACTERS;
}
