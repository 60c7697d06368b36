import * as v from "valibot";

/* The answer of Deepgram's API for recorded audio (version 1). Times are seconds from the first sample. */

const seconds = v.pipe(v.number(), v.minValue(0));
const uuid = v.pipe(v.string(), v.uuid());
const confidence = v.pipe(v.number(), v.minValue(0), v.maxValue(1));

const wordSchema = v.object({
  word: v.string(),
  start: seconds,
  end: seconds,
  confidence,
  punctuated_word: v.string(),
});

const utteranceSchema = v.object({
  start: seconds,
  end: seconds,
  confidence,
  channel: v.pipe(v.number(), v.integer()),
  transcript: v.string(),
  words: v.array(wordSchema),
  id: uuid,
  streamer: v.optional(v.record(v.string(), v.unknown())),
});
export type Utterance = v.InferOutput<typeof utteranceSchema>;

const channelSchema = v.object({
  alternatives: v.array(v.object({ transcript: v.string(), confidence, words: v.array(wordSchema) })),
  detected_language: v.optional(v.string()),
});
export type RecordedChannel = v.InferOutput<typeof channelSchema>;

/** The body of the answer. */
export const recordedSchema = v.object({
  metadata: v.object({
    transaction_key: v.literal("deprecated"),
    request_id: uuid,
    sha256: v.pipe(v.string(), v.hash(["sha256"])),
    created: v.pipe(v.string(), v.isoTimestamp()),
    duration: seconds,
    channels: v.pipe(v.number(), v.integer()),
    models: v.array(uuid),
    model_info: v.record(uuid, v.object({ name: v.string(), version: v.string(), arch: v.string() })),
  }),
  results: v.object({ channels: v.array(channelSchema), utterances: v.optional(v.array(utteranceSchema)) }),
});
export type Recorded = v.InferOutput<typeof recordedSchema>;
