import { MODEL_SETTINGS, SETTINGS } from "../../config/config.ts";
import { SECTION_TEXTS } from "../../config/section-texts.ts";
import { ownRangeText, rangeText, sentence } from "../../config/setting-text.ts";
import { type Setting, settingHint } from "../../config/setting.ts";
import { builtInModels } from "../../model/models.ts";
import { type OwnSetting, ownSettings } from "../../model/own-settings.ts";
import { bold, definition, italic, lines, paragraph, prose, request } from "./roff.ts";

/** Returns the part of the manual page about every setting of a configuration. */
export function settingsPart(): string[] {
  const sections = Object.entries(SETTINGS).flatMap(([section, table]) => [
    request("SS", section),
    ...lines(prose(SECTION_TEXTS[section] ?? "")).filter(Boolean),
    ...Object.entries(table).flatMap(([key, setting]) => settingEntry(`${section}.${key}`, setting)),
  ]);
  return [
    ...sections,
    request("SS", "model, models.NAME"),
    ...paragraph(
      "The section model is about the default model. A section models.NAME with the same keys serves a further one, which clients select by its name; there, name is NAME by default. Keys that are not in this list belong to the model itself.",
    ).slice(1),
    ...Object.entries(MODEL_SETTINGS).flatMap(([key, setting]) => settingEntry(`model.${key}`, setting)),
    ...definition(`${bold("model.env.")}${italic("NAME")}=${italic("VALUE")}`, [
      "An environment variable of the processes of the model.",
    ]),
    ...builtInModels.flatMap(ownPart),
  ];
}

function settingEntry(key: string, setting: Setting): string[] {
  const texts = [sentence(setting.meaning), rangeText(setting)];
  return definition(`${bold(key)}=${italic(settingHint(setting))}`, texts);
}

/** Returns the settings of a built-in model. */
function ownPart(model: string): string[] {
  const own = Object.entries(ownSettings(model) ?? {});
  if (own.length === 0) return [];
  return [request("SS", `The model ${model}`), ...own.flatMap(([key, setting]) => ownEntry(key, setting))];
}

function ownEntry(key: string, setting: OwnSetting): string[] {
  const { schema, meaning } = setting;
  const values = schema.enum?.join("|") ?? (schema.type === "boolean" ? "true|false" : "VALUE");
  return definition(`${bold(`model.${key}`)}=${italic(values)}`, [sentence(meaning), ownRangeText(setting)]);
}
