import { FIXED_SECTIONS } from "./fixed-sections.ts";
import { MODEL_DEFINITIONS, modelSchema, modelsSchema } from "./model-schema.ts";
import { SECTION_TEXTS } from "./section-texts.ts";
import { type Schema, settingSchema } from "./setting-schema.ts";
import { SETTINGS } from "./settings.ts";

/** What a restart is needed for, as a note for programs. Editors show the description. */
const RESTART = "x-restart";
const RESTART_NOTE = "Needs a restart.";

/**
 * Returns the JSON Schema of a configuration file, in any of its languages. It has only keywords that mean the same in
 * draft 2020-12 and in draft 7, since editors implement the latter.
 */
export function configSchema(version: string): Schema {
  const sections = Object.keys(SETTINGS).filter((section) => !section.includes("."));
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: `Configuration of Streamer ${version}`,
    description: "The file that streamer serve --config reads, in JSON, JSON5, YAML or TOML.",
    type: ["object", "null"],
    properties: {
      $schema: { type: ["string", "null"], description: "This schema, for editors. The server ignores it." },
      model: modelSchema(),
      models: modelsSchema(),
      ...Object.fromEntries(sections.map((section) => [section, sectionSchema(section)])),
    },
    additionalProperties: false,
    $defs: MODEL_DEFINITIONS,
  };
}

/** Returns the schema of a section, with those within it. */
function sectionSchema(section: string): Schema {
  const table = Object.entries(SETTINGS[section as keyof typeof SETTINGS]);
  const inner = Object.keys(SETTINGS).filter((other) => other.startsWith(`${section}.`));
  const isFixed = FIXED_SECTIONS.some((fixed) => fixed === section);
  return {
    description: SECTION_TEXTS[section],
    type: ["object", "null"],
    properties: {
      ...Object.fromEntries(
        table.map(([key, setting]) => {
          const schema = settingSchema(setting, `${section}.${key}`);
          return [key, isFixed ? withRestart(schema) : schema];
        }),
      ),
      ...Object.fromEntries(inner.map((other) => [other.slice(section.length + 1), sectionSchema(other)])),
    },
    additionalProperties: false,
  };
}

function withRestart(schema: Schema): Schema {
  return { ...schema, description: `${String(schema["description"])} ${RESTART_NOTE}`, [RESTART]: true };
}
