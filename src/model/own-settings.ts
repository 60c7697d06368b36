import { type JsonSchema, toJsonSchema } from "@valibot/to-json-schema";

import { schemaOf } from "./built-in/setting-schema.ts";
import { BUILT_IN } from "./models.ts";

/** A setting of a built-in model. */
export interface OwnSetting {
  /** The values, as far as a JSON Schema can say it. A default is left out. */
  readonly schema: JsonSchema;
  /** Undefined: the setting has no default. */
  readonly default: unknown;
  readonly unit: string;
  readonly meaning: string;
  /** False: the model cannot be served without it. */
  readonly isOptional: boolean;
}

/** Returns the settings of a built-in model by name; undefined: the model is a file, or there is none. */
export function ownSettings(model: string): Readonly<Record<string, OwnSetting>> | undefined {
  const module = BUILT_IN.get(model);
  if (module === undefined) return undefined;
  const { settings = {} } = module;
  const entries = schemaOf(settings)?.entries;
  return Object.fromEntries(
    Object.entries(settings).map(([name, { unit = "", meaning = "", default: preset }]) => {
      const entry = entries?.[name];
      const isOptional = entry === undefined || entry.type === "optional";
      const made =
        entry === undefined ? likeDefault(preset) : toJsonSchema(entry, { typeMode: "input", errorMode: "ignore" });
      const { default: _, $schema: __, ...schema } = made;
      return [name, { schema, default: preset, unit, meaning, isOptional }];
    }),
  );
}

/** Without a schema, a value has the type of the default, or any if there is none. */
function likeDefault(preset: unknown): JsonSchema {
  if (Array.isArray(preset)) return { type: "array" };
  const type = typeof preset;
  if (type === "number" || type === "string" || type === "boolean") return { type };
  return preset !== null && type === "object" ? { type: "object" } : {};
}
