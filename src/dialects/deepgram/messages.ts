import * as v from "valibot";

/*
 * The JSON messages of Deepgram's streaming API (version 1), as far as they are spoken here. Times are seconds from the
 * first sample. SDKs give a message of another type to their application as nothing, so no others are sent.
 */

/** Schema of what the server needs of a client's text message. Clients add fields. */
export const controlSchema = v.looseObject({ type: v.string() });

/** The types of a client's text messages. */
export const CONTROLS = ["KeepAlive", "Finalize", "CloseStream", "Configure"] as const;
export type Control = (typeof CONTROLS)[number];

const seconds = v.pipe(v.number(), v.minValue(0));
const confidence = v.pipe(v.number(), v.minValue(0), v.maxValue(1));
/** Channel and number of channels. */
const channelIndex = v.tuple([v.pipe(v.number(), v.integer()), v.pipe(v.number(), v.integer())]);

const wordSchema = v.object({
  word: v.string(),
  start: seconds,
  end: seconds,
  confidence,
  punctuated_word: v.string(),
  language: v.optional(v.string()),
});

const resultsSchema = v.object({
  type: v.literal("Results"),
  channel_index: channelIndex,
  start: seconds,
  duration: seconds,
  is_final: v.boolean(),
  speech_final: v.boolean(),
  from_finalize: v.boolean(),
  channel: v.object({
    alternatives: v.array(v.object({ transcript: v.string(), confidence, words: v.array(wordSchema) })),
  }),
  metadata: v.object({
    request_id: v.pipe(v.string(), v.uuid()),
    model_uuid: v.pipe(v.string(), v.uuid()),
    model_info: v.object({ name: v.string(), version: v.string(), arch: v.string() }),
  }),
  streamer: v.optional(v.record(v.string(), v.unknown())),
});
export type Results = v.InferOutput<typeof resultsSchema>;

const speechStartedSchema = v.object({
  type: v.literal("SpeechStarted"),
  channel: channelIndex,
  timestamp: seconds,
});

const utteranceEndSchema = v.object({
  type: v.literal("UtteranceEnd"),
  channel: channelIndex,
  last_word_end: seconds,
});

const metadataSchema = v.object({
  type: v.literal("Metadata"),
  transaction_key: v.string(),
  request_id: v.pipe(v.string(), v.uuid()),
  sha256: v.string(),
  created: v.pipe(v.string(), v.isoTimestamp()),
  duration: seconds,
  channels: v.pipe(v.number(), v.integer()),
});

const errorSchema = v.object({
  type: v.literal("Error"),
  variant: v.picklist(["SchemaError", "ModelError"]),
  description: v.string(),
  message: v.string(),
});

const configureFailureSchema = v.object({
  type: v.literal("ConfigureFailure"),
  request_id: v.pipe(v.string(), v.uuid()),
  code: v.string(),
  description: v.string(),
});

/** Schema of every message of the server. */
export const serverMessageSchema = v.variant("type", [
  resultsSchema,
  speechStartedSchema,
  utteranceEndSchema,
  metadataSchema,
  errorSchema,
  configureFailureSchema,
]);
export type ServerMessage = v.InferOutput<typeof serverMessageSchema>;

/** Schema of the body that refuses a connection. */
export const refusalSchema = v.object({
  err_code: v.string(),
  err_msg: v.string(),
  request_id: v.pipe(v.string(), v.uuid()),
});
export type Refusal = v.InferOutput<typeof refusalSchema>;
