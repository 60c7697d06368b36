/** A setting: its default value, its unit, the values that it accepts and what it means. */
export type Setting = NumberSetting | TextSetting;

export interface NumberSetting {
  readonly default: number | "auto";
  /** Smallest and largest accepted value. */
  readonly min: number;
  readonly max: number;
  /** True: fractions are accepted. False: whole numbers only. */
  readonly fraction: boolean;
  /** The word `auto` is accepted, too. A function returns the number that takes its place. */
  readonly auto?: true | (() => AutoValue);
  readonly unit: string;
  readonly meaning: string;
}

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
  /** A check beyond `choices`, and what it accepts, as the words after "allowed: ". */
  readonly format?: TextFormat;
  readonly unit: "";
  readonly meaning: string;
}

/** The form of a text. */
export interface TextFormat {
  readonly allowed: string;
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
  return { default: initial, choices, unit: "", meaning, spell };
}

/** Describes the accepted values, as the words after "allowed: ". */
export function describeAllowed(setting: Setting): string {
  if ("min" in setting) {
    const number = `a ${setting.fraction ? "number" : "whole number"} from ${setting.min} to ${setting.max}`;
    return setting.auto !== undefined ? `${number}, or auto` : number;
  }
  if (setting.format !== undefined) return setting.format.allowed;
  return setting.choices === undefined ? "a text of 1 to 4096 characters" : `one of ${setting.choices.join(", ")}`;
}

/** Returns a value in the spelling that the server uses. Returns values that are no text unchanged. */
export function canonical(setting: Setting, value: unknown): unknown {
  return "min" in setting || typeof value !== "string" ? value : (setting.spell?.(value) ?? value);
}

/** Returns true if `value` has the setting's type and is within its range. */
export function accepts(setting: Setting, value: unknown): value is number | string {
  if ("min" in setting) {
    if (value === "auto") return setting.auto !== undefined;
    if (typeof value !== "number" || !(value >= setting.min && value <= setting.max)) return false;
    return setting.fraction || Number.isInteger(value);
  }
  if (typeof value !== "string" || value.length === 0 || value.length > 4_096) return false;
  return (setting.choices?.includes(value) ?? true) && (setting.format?.accepts(value) ?? true);
}
