import { isSecretName } from "../lib/secrets.ts";
import { builtInModels, MODEL_PATH } from "../model/models.ts";
import { type OwnSetting, ownSettings } from "../model/own-settings.ts";
import { MAX_VARIABLE_CHARACTERS, MODEL_NAME, VARIABLE_NAME } from "./resolution.ts";
import { SECTION_TEXTS } from "./section-texts.ts";
import { NULL, type Schema, settingSchema } from "./setting-schema.ts";
import { ownRangeText, sentence } from "./setting-text.ts";
import { MAX_CHARACTERS } from "./setting.ts";
import { MODEL_SETTINGS } from "./settings.ts";

/** The names that a key of a model may have. */
const KEY: Schema = { minLength: 1, not: { const: "__proto__" } };
const SECRET_NOTE = "A secret: it is not shown.";

/** Returns the schema of the section `model`. */
export function modelSchema(): Schema {
  return { description: SECTION_TEXTS["model"], ...schemaFor(MODEL_SETTINGS.name.default) };
}

/** Returns the schema of the section `models`: a model with the name of a built-in one is that by default. */
export function modelsSchema(): Schema {
  return {
    description: SECTION_TEXTS["models"],
    type: ["object", "null"],
    propertyNames: { pattern: MODEL_NAME.source },
    properties: Object.fromEntries(builtInModels.map((name) => [name, schemaFor(name)])),
    additionalProperties: {
      ...schemaFor(undefined),
      required: ["name"],
      properties: { name: { type: "string" } },
    },
  };
}

/** @param preset the model without a name; undefined: there is none */
function schemaFor(preset: string | undefined): Schema {
  const own = builtInModels.map((name) => {
    const named = { properties: { name: { const: name } }, required: ["name"] };
    const unnamed = { properties: { name: NULL } };
    return { if: name === preset ? { anyOf: [named, unnamed] } : named, then: { $ref: `#/$defs/${name}` } };
  });
  return { allOf: [{ $ref: "#/$defs/model" }, ...own] };
}

const { default: preset, description } = settingSchema(MODEL_SETTINGS.name);
const NAME: Schema = {
  description,
  default: preset,
  anyOf: [{ enum: builtInModels }, { type: "string", maxLength: MAX_CHARACTERS, pattern: MODEL_PATH.source }, NULL],
};

const VARIABLES: Schema = {
  description: "Environment variables of the processes of the model.",
  type: ["object", "null"],
  propertyNames: { pattern: VARIABLE_NAME.source },
  additionalProperties: {
    type: ["string", "number", "boolean", "null"],
    maxLength: MAX_VARIABLE_CHARACTERS,
    pattern: "^[^\\x00]*$",
    writeOnly: true,
  },
};

/** The parts of the schema of a model: what all have, and the settings of each built-in one. */
export const MODEL_DEFINITIONS: Schema = {
  model: {
    type: ["object", "null"],
    properties: {
      ...Object.fromEntries(Object.entries(MODEL_SETTINGS).map(([key, setting]) => [key, settingSchema(setting)])),
      name: NAME,
      env: VARIABLES,
    },
    additionalProperties: { $ref: "#/$defs/own" },
  },
  own: { propertyNames: KEY, additionalProperties: { $ref: "#/$defs/own" } },
  ...Object.fromEntries(builtInModels.map((name) => [name, builtInSchema(ownSettings(name) ?? {})])),
};

function builtInSchema(own: Readonly<Record<string, OwnSetting>>): Schema {
  const required = Object.entries(own).flatMap(([name, { isOptional }]) => (isOptional ? [] : [name]));
  return {
    properties: Object.fromEntries(Object.entries(own).map(([name, setting]) => [name, ownSchema(name, setting)])),
    propertyNames: { enum: [...Object.keys(MODEL_SETTINGS), "env", ...Object.keys(own)] },
    ...(required.length > 0 && { required }),
  };
}

function ownSchema(name: string, setting: OwnSetting): Schema {
  const { schema, default: preset, unit, meaning, isOptional } = setting;
  const isSecret = name === "headers" || (isSecretName(name) && !name.endsWith("_file"));
  const texts = [sentence(meaning), ownRangeText(setting), isSecret ? SECRET_NOTE : ""];
  return {
    description: texts.filter(Boolean).join(" "),
    ...(preset !== undefined && { default: preset }),
    ...(unit !== "" && { "x-unit": unit }),
    ...(isSecret && { writeOnly: true }),
    ...(isOptional ? nullable(schema) : schema),
  };
}

/** Returns a schema that accepts null, too, and so do the fields of its objects that are not required. */
function nullable(schema: object): Schema {
  const { enum: choices, anyOf, type, properties, additionalProperties, required } = schema as Schema;
  if (choices !== undefined) return { anyOf: [schema, NULL] };
  if (Array.isArray(anyOf)) return { ...schema, anyOf: [...(anyOf as Schema[]), NULL] };
  const needed = new Set(required as string[] | undefined);
  const inner = Object.entries((properties ?? {}) as Readonly<Record<string, Schema>>);
  return {
    ...schema,
    ...(type !== undefined && { type: [type, "null"] }),
    ...(properties !== undefined && {
      properties: Object.fromEntries(inner.map(([name, each]) => [name, needed.has(name) ? each : nullable(each)])),
    }),
    ...(typeof additionalProperties === "object" &&
      additionalProperties !== null && { additionalProperties: nullable(additionalProperties) }),
  };
}
