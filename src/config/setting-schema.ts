import { rangeText, sentence } from "./setting-text.ts";
import {
  anyCase,
  type ListSetting,
  MAX_CHARACTERS,
  MAX_ITEMS,
  type NumberSetting,
  type Setting,
  type TextFormat,
  type TextSetting,
} from "./setting.ts";

export type Schema = Readonly<Record<string, unknown>>;

/** Null counts as absent. */
export const NULL = { type: "null" } as const;

/** Returns the JSON Schema of a setting in a file. @param key dotted, for the variable of the environment */
export function settingSchema(setting: Setting, key?: string): Schema {
  const isUsual = "usual" in setting && setting.usual !== undefined;
  const variable = key === undefined ? "" : `Environment: STREAMER__${key.replaceAll(".", "__").toUpperCase()}.`;
  return {
    description: [sentence(setting.meaning), rangeText(setting), variable].filter(Boolean).join(" "),
    ...(isUsual ? {} : { default: setting.default }),
    ...(setting.unit === "" ? {} : { "x-unit": setting.unit }),
    ...valueSchema(setting),
  };
}

function valueSchema(setting: Setting): Schema {
  if ("min" in setting) return numberSchema(setting);
  if ("items" in setting) return listSchema(setting);
  return setting.choices === undefined ? textSchema(setting) : choiceSchema(setting, setting.choices);
}

function numberSchema({ min, max, fraction, auto }: NumberSetting): Schema {
  const range = { minimum: min, maximum: max };
  const type = fraction ? "number" : "integer";
  if (auto === undefined) return { type: [type, "null"], ...range };
  return { anyOf: [{ type, ...range }, { const: "auto" }, NULL] };
}

/** A choice may be written in any case. Those of a switch are truth values, too. */
function choiceSchema({ aliases = {} }: TextSetting, choices: readonly string[]): Schema {
  const truths = [true, false].filter((truth) => Object.hasOwn(aliases, String(truth)));
  const other = { type: "string", pattern: anyCase([...choices, ...Object.keys(aliases)]) };
  return { anyOf: [{ enum: [...choices, ...truths] }, other, NULL] };
}

function textSchema({ format }: TextSetting): Schema {
  return { type: ["string", "null"], ...textLimits(format) };
}

function listSchema({ items }: ListSetting): Schema {
  const text = { type: "string", ...textLimits(items) };
  return {
    type: ["array", "null"],
    maxItems: MAX_ITEMS,
    items: items.choices === undefined ? text : { anyOf: [{ enum: items.choices }, text] },
  };
}

function textLimits(format: TextFormat | undefined): Schema {
  return { minLength: 1, maxLength: MAX_CHARACTERS, ...(format && { pattern: format.pattern }) };
}
