import * as v from "valibot";

import { describeValue } from "../../lib/excerpt.ts";
import { hideSecret } from "../../lib/secrets.ts";
import { type SettingDescriptions, unknownSetting } from "../settings.ts";

/** The settings of a model. The message of each is what it allows, in words that follow "allowed: ". */
export type SettingSchema = v.StrictObjectSchema<Record<string, v.GenericSchema>, undefined>;

/** Adds the unit and the meaning of a setting to its schema, for `describeSettings`. */
export function about<Value = number>(
  unit: string,
  meaning: string,
): v.MetadataAction<Value, { unit: string; meaning: string }> {
  return v.metadata({ unit, meaning });
}

/** The schemas by what was made of them. */
const SCHEMAS = new WeakMap<SettingDescriptions, SettingSchema>();

/** Returns the schema that descriptions were made from; undefined: from none. */
export function schemaOf(descriptions: SettingDescriptions): SettingSchema | undefined {
  return SCHEMAS.get(descriptions);
}

/** Returns `ModelModule.settings`: the defaults of the schema, with units and meanings. */
export function describeSettings(schema: SettingSchema): SettingDescriptions {
  const defaults: Record<string, unknown> = v.getDefaults(schema);
  const descriptions = Object.fromEntries(
    Object.entries(schema.entries).map(([name, entry]) => {
      const inner: unknown = "wrapped" in entry ? entry.wrapped : entry;
      const { unit, meaning } = v.getMetadata(inner as v.GenericSchema);
      return [
        name,
        {
          default: defaults[name],
          ...(typeof unit === "string" && { unit }),
          ...(typeof meaning === "string" && { meaning }),
        },
      ];
    }),
  );
  SCHEMAS.set(descriptions, schema);
  return descriptions;
}

/** Returns a sentence for each setting that is unknown or not allowed, for `ModelModule.validate`. */
export function findProblems(schema: SettingSchema, settings: Readonly<Record<string, unknown>>): string[] {
  const known = Object.keys(schema.entries);
  return Object.entries(settings).flatMap(([name, value]) => {
    const entry = schema.entries[name];
    if (entry === undefined) return [unknownSetting(name, known)];
    const allowed = objectOf(entry);
    if (allowed !== undefined && Array.isArray(value))
      return [`${name}: found ${describeValue(value)}; allowed: ${allowed}`];
    const [issue] = v.safeParse(entry, value).issues ?? [];
    if (issue === undefined) return [];
    const inner = v.getDotPath(issue);
    if (issue.expected === "never") return [`unknown setting "${name}.${inner}"; allowed: ${issue.message}`];
    const [path, found] = inner === null ? [name, value] : [`${name}.${inner}`, issue.input];
    return [`${path}: found ${describeValue(hideSecret(path, found))}; allowed: ${issue.message}`];
  });
}

/** Returns what a setting allows, if that is an object. Valibot 1.5 takes an array for an object by its indices. */
function objectOf(entry: v.GenericSchema): string | undefined {
  const schema = "wrapped" in entry ? entry.wrapped : entry;
  const { type, message } = schema as { readonly type: string; readonly message?: unknown };
  return type === "record" || type === "strict_object" ? String(message) : undefined;
}
