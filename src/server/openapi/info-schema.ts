import * as v from "valibot";

import type { Setting } from "../../config/setting.ts";
import { SETTINGS } from "../../config/settings.ts";
import { count, flag, text } from "../../protocol/field.ts";
import type { Json } from "../../protocol/json-schema.ts";

/** A number of seconds or of streams, 0 or more. */
function quantity() {
  return v.pipe(v.number(), v.minValue(0));
}

const dialectSchema = v.strictObject({
  name: text(),
  paths: v.optional(v.array(text())),
  files: v.optional(v.array(text())),
  port: v.optional(count()),
  urls: v.optional(v.array(text())),
  file_urls: v.optional(v.array(text())),
});

const modelSchema = v.strictObject({
  name: text(),
  own_name: text(),
  sample_rate: count(),
  patterns: v.array(text()),
  stateful: flag(),
  pinned: flag(),
  step_ms: v.optional(count()),
  options: v.optional(v.array(text())),
  max_batch: count(),
  generation: count(),
  unavailable: v.optional(text()),
});

const loadSchema = v.strictObject({ model: text(), workers_ready: count(), workers: count(), seconds: count() });

const rangeSchema = v.strictObject({ min: count(), max: count() });

const formatsSchema = v.strictObject({ encodings: v.array(text()), sample_rate: rangeSchema });

const arenaSchema = v.strictObject({ used_slabs: count(), slabs: count() });

const queueSchema = v.strictObject({ finals: count(), interims: count(), running: count() });

const memorySchema = v.strictObject({ used_bytes: count(), resident_bytes: count(), bytes: count() });

const liveSchema = v.strictObject({
  uptime_seconds: count(),
  sessions: v.optional(count()),
  streams: v.optional(count()),
  capacity: v.optional(count()),
  overloaded: v.optional(count()),
  channels: v.optional(count()),
  queue: v.optional(queueSchema),
  workers: v.optional(count()),
  arena: v.optional(memorySchema),
  audio_seconds: v.optional(quantity()),
  inference_seconds: v.optional(quantity()),
});

const processSchema = v.strictObject({
  process: count(),
  pid: v.optional(count()),
  state: text(),
  sessions: count(),
  streams: count(),
});

/** Stands for the settings of a section, whose schemas are made of the settings themselves. */
const admissionSchema = v.looseObject({});
const limitsSchema = v.looseObject({});

const infoSchema = v.strictObject({
  version: text(),
  protocol_version: text(),
  docs: text(),
  patterns: v.optional(v.array(text())),
  dialects: v.optional(v.array(dialectSchema)),
  models: v.optional(v.array(modelSchema)),
  loading: v.optional(v.array(loadSchema)),
  formats: v.optional(formatsSchema),
  limits: v.optional(limitsSchema),
  features: v.optional(v.array(text())),
  sessions: count(),
  arena: arenaSchema,
  live: liveSchema,
  processes: v.optional(v.array(processSchema)),
});

/** Schemas of the body of `info`, by name. */
export const INFO_SCHEMAS = {
  Info: infoSchema,
  Dialect: dialectSchema,
  Model: modelSchema,
  ModelLoad: loadSchema,
  AudioFormats: formatsSchema,
  SampleRates: rangeSchema,
  ArenaSlabs: arenaSchema,
  LiveNumbers: liveSchema,
  Queue: queueSchema,
  AudioMemory: memorySchema,
  ServerProcess: processSchema,
  Limits: limitsSchema,
  AdmissionLimits: admissionSchema,
} as const;

/** JSON schemas of the settings in `info`, by the names that they have there. */
export function limitSchemas(): Record<string, Json> {
  const { properties, ...limits } = settingsSchema("Limits", "The settings `limits.…` in force.", SETTINGS.limits);
  const admission = { $ref: "#/components/schemas/AdmissionLimits" };
  return {
    Limits: { ...limits, properties: { ...(properties as Json), admission } },
    AdmissionLimits: settingsSchema(
      "AdmissionLimits",
      "The settings `limits.admission.…` in force: up to which load streams may start.",
      SETTINGS["limits.admission"],
    ),
  };
}

function settingsSchema(title: string, description: string, settings: Readonly<Record<string, Setting>>): Json {
  const properties = Object.entries(settings).map(([key, setting]) => [key, settingSchema(setting)]);
  return {
    title,
    description,
    type: "object",
    properties: Object.fromEntries(properties),
    additionalProperties: false,
  };
}

function settingSchema(setting: Setting): Json {
  const { meaning, unit } = setting;
  const about = {
    description: `${meaning.charAt(0).toUpperCase()}${meaning.slice(1)}.`,
    ...(unit && { "x-unit": unit }),
  };
  if ("min" in setting) {
    const { default: initial, min, max, fraction } = setting;
    const byDefault = initial === "auto" ? { "x-default": "computed by the server" } : { default: initial };
    return { type: fraction ? "number" : "integer", minimum: min, maximum: max, ...about, ...byDefault };
  }
  if ("items" in setting) return { type: "array", items: { type: "string" }, ...about };
  const { choices, default: initial } = setting;
  return { type: "string", ...(choices && { enum: [...choices] }), ...about, default: initial };
}
