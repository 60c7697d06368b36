import type { ArgsDef } from "citty";

import { MODEL_SETTINGS } from "../../config/config.ts";
import { hintOf, parseValueHint } from "../terminal/value-hint.ts";
import { behind, type Completion, NOTHING } from "./completion.ts";
import { completeHint } from "./hints.ts";
import type { Keys } from "./key.ts";
import { modelKeys, serverKeys } from "./setting-keys.ts";
import { startKeys } from "./start-keys.ts";

type Given = ReadonlyMap<string, readonly string[]>;

/**
 * Returns how the value of a flag or an argument can be completed.
 * @param text the value so far
 * @param given the values of the other flags
 */
export function completeValue(definition: ArgsDef[string], text: string, given: Given): Completion {
  const hint = hintOf(definition) ?? "";
  const { places } = parseValueHint(hint);
  if (places.includes("KEY=VALUE")) return completeAssignment(serverKeys(modelOf(given), text), text);
  if (places.includes("SETTING=VALUE")) return completeAssignment(modelKeys(modelOf(given)), text);
  if (places.includes("FIELD=VALUE")) return completeAssignment(startKeys(), text);
  return { hint: definition.description ?? "", ...completeHint(hint, text) };
}

/** Returns how `KEY=VALUE` can be completed. Keys that end in a dot have no value: others begin with them. */
function completeAssignment(keys: Keys, text: string): Completion {
  const end = text.indexOf("=");
  if (end === -1) {
    const candidates = [...keys].map(([name, { description }]) => {
      return { value: name.endsWith(".") ? name : `${name}=`, description };
    });
    return { ...NOTHING, candidates, isOpen: true };
  }
  const key = keys.get(text.slice(0, end));
  if (key === undefined) return NOTHING;
  return behind(text.slice(0, end + 1), { hint: key.allowed, ...completeHint(key.hint, text.slice(end + 1)) });
}

/** Returns the model that a command line names; undefined: a file has the configuration. */
function modelOf(given: Given): string | undefined {
  const sets = (given.get("set") ?? []).flatMap((set) => /^model\.name=(.*)$/.exec(set)?.[1] ?? []);
  return sets.at(-1) ?? given.get("model")?.[0] ?? (given.has("config") ? undefined : MODEL_SETTINGS.name.default);
}
