import { MODEL_SETTINGS, SETTINGS } from "../../config/config.ts";
import { describeAllowed, type Setting, settingHint } from "../../config/setting.ts";
import { type OwnSetting, ownSettings } from "../../model/own-settings.ts";
import type { Key, Keys } from "./key.ts";

/** A further model in a key, with what stands before its keys. */
const FURTHER_MODEL = /^models\.[^.=]+\./;
/** Settings of built-in models that name files. */
const FILE_NAME = /(?:^tls_|_file$)/;

/**
 * Returns the keys of the server.
 * @param model of the default model: a built-in one, or the path of a file; undefined: not known
 * @param text the key so far, which may name a further model
 */
export function serverKeys(model: string | undefined, text: string): Keys {
  const [further] = FURTHER_MODEL.exec(text) ?? [];
  const sections = Object.entries(SETTINGS).flatMap(([section, table]) => settingKeys(`${section}.`, table));
  return new Map([
    ...sections,
    ...keysOfModel("model.", model),
    ...(further === undefined
      ? [opening("models.", "a further model: models.NAME.KEY")]
      : keysOfModel(further, further.split(".")[1])),
  ]);
}

/** Returns the keys of one model, without what stands before them in a configuration. */
export function modelKeys(model: string | undefined): Keys {
  return new Map(keysOfModel("", model));
}

function keysOfModel(prefix: string, model: string | undefined): [string, Key][] {
  const own = model === undefined ? undefined : ownSettings(model);
  return [
    ...settingKeys(prefix, MODEL_SETTINGS),
    opening(`${prefix}env.`, "a variable of the environment of the processes of the model"),
    ...Object.entries(own ?? {}).map(([name, setting]): [string, Key] => [`${prefix}${name}`, ownKey(name, setting)]),
  ];
}

function settingKeys(prefix: string, table: Readonly<Record<string, Setting>>): [string, Key][] {
  return Object.entries(table).map(([name, setting]) => {
    const unit = setting.unit === "" ? "" : ` (${setting.unit})`;
    const key = { description: setting.meaning, hint: settingHint(setting), allowed: describeAllowed(setting) + unit };
    return [`${prefix}${name}`, key];
  });
}

function ownKey(name: string, { schema, unit, meaning }: OwnSetting): Key {
  const words = schema.type === "boolean" ? ["true", "false"] : (schema.enum ?? []).map(String);
  const description = [unit, meaning].filter(Boolean).join(" ");
  return { description, allowed: description, hint: words.join("|") || (FILE_NAME.test(name) ? "FILE" : "VALUE") };
}

function opening(name: string, description: string): [string, Key] {
  return [name, { description, hint: "", allowed: "" }];
}
