import * as v from "valibot";

const modelSchema = v.object({
  name: v.string(),
  own_name: v.optional(v.string(), ""),
  sample_rate: v.number(),
  patterns: v.array(v.string()),
  stateful: v.optional(v.boolean(), false),
  pinned: v.optional(v.boolean(), false),
  max_batch: v.optional(v.number(), 1),
  generation: v.optional(v.number(), 1),
  unavailable: v.optional(v.string()),
});

const liveSchema = v.object({
  uptime_seconds: v.number(),
  sessions: v.number(),
  streams: v.number(),
  capacity: v.number(),
  overloaded: v.number(),
  channels: v.number(),
  queue: v.object({ finals: v.number(), interims: v.number(), running: v.number() }),
  workers: v.number(),
  arena: v.object({ used_bytes: v.number(), resident_bytes: v.number(), bytes: v.number() }),
  audio_seconds: v.number(),
  inference_seconds: v.number(),
});
export type LiveStats = v.InferOutput<typeof liveSchema>;

const infoSchema = v.object({
  version: v.string(),
  patterns: v.array(v.string()),
  dialects: v.array(
    v.object({
      name: v.string(),
      paths: v.optional(v.array(v.string()), []),
      /** Paths that take files. */
      files: v.optional(v.array(v.string()), []),
      port: v.optional(v.number()),
    }),
  ),
  models: v.array(modelSchema),
  limits: v.looseObject({ max_channels: v.number(), max_message_bytes: v.number() }),
  live: liveSchema,
});
/** The parts of `/api/v1/info` that the page shows. */
export type ServerInfo = v.InferOutput<typeof infoSchema>;

/** Reads `info`. Throws an Error when it is not that of a server like this. */
export function readInfo(value: unknown): ServerInfo {
  return v.parse(infoSchema, value);
}
