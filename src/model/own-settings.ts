import { type JsonSchema, toJsonSchema } from "@valibot/to-json-schema";

import { denoiseSettings } from "./built-in/denoise.ts";
import { levelsSettings } from "./built-in/levels.ts";
import type { SettingSchema } from "./built-in/setting-schema.ts";
import { simulatedSettings } from "./built-in/simulated.ts";
import { describeModelSettings } from "./models.ts";
import { remoteSettings } from "./remote/settings.ts";

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

const SCHEMAS: Readonly<Record<string, SettingSchema>> = {
  simulated: simulatedSettings,
  levels: levelsSettings,
  denoise: denoiseSettings,
  remote: remoteSettings,
};

/** Returns the settings of a built-in model by name; undefined: the model is a file, or there is none. */
export function ownSettings(model: string): Readonly<Record<string, OwnSetting>> | undefined {
  const settings = Object.hasOwn(SCHEMAS, model) ? SCHEMAS[model] : undefined;
  if (settings === undefined) return undefined;
  const described = describeModelSettings(model);
  return Object.fromEntries(
    Object.entries(settings.entries).map(([name, entry]) => {
      const { unit = "", meaning = "", default: preset } = described[name] ?? {};
      const isOptional = entry.type === "optional";
      const { default: _, $schema: __, ...schema } = toJsonSchema(entry, { typeMode: "input", errorMode: "ignore" });
      return [name, { schema, default: preset, unit, meaning, isOptional }];
    }),
  );
}
