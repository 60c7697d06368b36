import type { OwnSetting } from "../model/own-settings.ts";
import { describeAllowed, type Setting } from "./setting.ts";

/** Returns text as a sentence: with a capital, unless it begins with a name, and a full stop. */
export function sentence(text: string): string {
  const [first = "", ...rest] = text;
  return text === "" ? "" : `${first.toUpperCase()}${rest.join("")}${/[.!?]$/.test(text) ? "" : "."}`;
}

/** Returns the default of a setting in words; undefined: it has none. */
export function defaultText(preset: unknown): string | undefined {
  if (preset === undefined) return undefined;
  if (Array.isArray(preset)) return preset.length === 0 ? "an empty list" : preset.join(", ");
  return typeof preset === "object" ? JSON.stringify(preset) : String(preset);
}

/** Returns what a setting accepts, with the unit, and its default, as one sentence. */
export function rangeText(setting: Setting): string {
  const unit = setting.unit === "" ? "" : ` (${setting.unit})`;
  const usual = ("usual" in setting ? setting.usual : undefined) ?? defaultText(setting.default);
  return `${sentence(describeAllowed(setting) + unit).replace(/\.$/, "")}; default ${usual}.`;
}

/** Returns what a setting of a built-in model accepts, and its default, as one sentence; empty: there is nothing to say. */
export function ownRangeText({ schema, default: preset, unit, isOptional }: OwnSetting): string {
  const { minimum, maximum } = schema;
  const number = `a ${schema.type === "integer" ? "whole number" : "number"} from ${minimum} to ${maximum}`;
  const allowed = minimum === undefined ? [] : [`${number}${unit === "" ? "" : ` (${unit})`}`];
  const usual = preset === undefined ? (isOptional ? [] : ["required"]) : [`default ${defaultText(preset)}`];
  return sentence([...allowed, ...usual].join("; "));
}
