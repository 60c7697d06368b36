import * as v from "valibot";

/*
 * The JSON messages of OpenAI's Realtime API in a transcription session, as far as they are spoken here. Times are
 * milliseconds of all audio that the client has sent.
 */

const optionalText = v.nullish(v.string("a string or null"));
const milliseconds = v.nullish(v.pipe(v.number("milliseconds from 0"), v.minValue(0, "milliseconds from 0")));
const texts = v.nullish(v.array(v.string("a string"), "an array of strings"));

/** The formats of the first version by name. */
const FORMAT_NAMES = ["pcm16", "g711_ulaw", "g711_alaw"] as const;
const FORMAT_TYPES = ["audio/pcm", "audio/pcmu", "audio/pcma"] as const;
const VAD_TYPES = ["server_vad", "semantic_vad"] as const;

const formatName = v.picklist(FORMAT_NAMES, `one of ${FORMAT_NAMES.join(", ")}`);
const formatSchema = v.looseObject(
  {
    type: v.picklist(FORMAT_TYPES, `one of ${FORMAT_TYPES.join(", ")}`),
    rate: v.nullish(v.number("a whole number of Hz")),
  },
  "an object with a type",
);
export type ClientFormat = v.InferOutput<typeof formatSchema> | v.InferOutput<typeof formatName>;

const transcriptionSchema = v.nullish(
  v.looseObject(
    { model: optionalText, language: optionalText, languages: texts, prompt: optionalText, keywords: texts },
    "an object or null",
  ),
);
const turnDetectionSchema = v.nullish(
  v.looseObject(
    {
      type: v.nullish(v.picklist(VAD_TYPES, `one of ${VAD_TYPES.join(", ")}`)),
      silence_duration_ms: milliseconds,
      prefix_padding_ms: milliseconds,
    },
    "an object or null",
  ),
);

/** Schema of the `session` of an update: of the current form, or of the beta with flat fields. Clients add fields. */
export const sessionUpdateSchema = v.looseObject(
  {
    type: v.nullish(v.literal("transcription", "transcription")),
    audio: v.nullish(
      v.looseObject(
        {
          input: v.nullish(
            v.looseObject(
              {
                format: v.nullish(formatSchema),
                transcription: transcriptionSchema,
                turn_detection: turnDetectionSchema,
              },
              "an object",
            ),
          ),
        },
        "an object",
      ),
    ),
    input_audio_format: v.nullish(formatName),
    input_audio_transcription: transcriptionSchema,
    turn_detection: turnDetectionSchema,
  },
  "an object",
);
export type SessionUpdate = v.InferOutput<typeof sessionUpdateSchema>;

const transcriptionInForce = v.strictObject({
  model: v.string(),
  language: v.optional(v.string()),
  prompt: v.optional(v.string()),
  keywords: v.optional(v.array(v.string())),
});
const turnDetectionInForce = v.nullable(
  v.strictObject({
    type: v.literal("server_vad"),
    threshold: v.number(),
    prefix_padding_ms: v.number(),
    silence_duration_ms: v.number(),
  }),
);
const sessionHead = {
  id: v.string(),
  object: v.literal("realtime.transcription_session"),
  expires_at: v.optional(v.pipe(v.number(), v.integer())),
};

const sessionSchema = v.strictObject({
  ...sessionHead,
  type: v.literal("transcription"),
  audio: v.strictObject({
    input: v.strictObject({
      format: v.strictObject({ type: v.picklist(FORMAT_TYPES), rate: v.optional(v.number()) }),
      noise_reduction: v.null(),
      transcription: transcriptionInForce,
      turn_detection: turnDetectionInForce,
    }),
  }),
});
export type Session = v.InferOutput<typeof sessionSchema>;

const betaSessionSchema = v.strictObject({
  ...sessionHead,
  input_audio_format: formatName,
  input_audio_transcription: transcriptionInForce,
  turn_detection: turnDetectionInForce,
  input_audio_noise_reduction: v.null(),
  client_secret: v.null(),
});
export type BetaSession = v.InferOutput<typeof betaSessionSchema>;

const fault = {
  type: v.picklist(["invalid_request_error", "server_error"]),
  code: v.string(),
  message: v.string(),
  param: v.nullable(v.string()),
};
const itemId = v.string();
const previous_item_id = v.nullable(itemId);
const whole = v.pipe(v.number(), v.integer(), v.minValue(0));
const item = v.strictObject({
  id: itemId,
  object: v.literal("realtime.item"),
  type: v.literal("message"),
  status: v.literal("completed"),
  role: v.literal("user"),
  content: v.tuple([v.strictObject({ type: v.literal("input_audio"), transcript: v.null() })]),
});

function event<const Type extends string, Entries extends v.ObjectEntries>(type: Type, entries: Entries) {
  return v.strictObject({ event_id: v.string(), type: v.literal(type), ...entries });
}

const TRANSCRIPTION = "conversation.item.input_audio_transcription";

/** Schema of every message of the server. */
export const serverMessageSchema = v.variant("type", [
  event("session.created", { session: sessionSchema }),
  event("session.updated", { session: sessionSchema }),
  event("transcription_session.created", { session: betaSessionSchema }),
  event("transcription_session.updated", { session: betaSessionSchema }),
  event("input_audio_buffer.speech_started", { audio_start_ms: whole, item_id: itemId }),
  event("input_audio_buffer.speech_stopped", { audio_end_ms: whole, item_id: itemId }),
  event("input_audio_buffer.committed", { item_id: itemId, previous_item_id }),
  event("input_audio_buffer.cleared", {}),
  event("conversation.item.added", { previous_item_id, item }),
  event("conversation.item.done", { previous_item_id, item }),
  event("conversation.item.created", { previous_item_id, item }),
  event(`${TRANSCRIPTION}.delta`, { item_id: itemId, content_index: v.literal(0), delta: v.string() }),
  event(`${TRANSCRIPTION}.completed`, {
    item_id: itemId,
    content_index: v.literal(0),
    transcript: v.string(),
    languages: v.optional(v.array(v.strictObject({ code: v.string() }))),
    usage: v.strictObject({ type: v.literal("duration"), seconds: v.pipe(v.number(), v.minValue(0)) }),
    streamer: v.optional(v.record(v.string(), v.unknown())),
  }),
  event(`${TRANSCRIPTION}.failed`, { item_id: itemId, content_index: v.literal(0), error: v.strictObject(fault) }),
  event("error", { error: v.strictObject({ ...fault, event_id: v.nullable(v.string()) }) }),
]);
export type Numbered = v.InferOutput<typeof serverMessageSchema>;

/** A message without its number. */
export type ServerMessage = Numbered extends infer Each
  ? Each extends Numbered
    ? Omit<Each, "event_id">
    : never
  : never;
export type Fault = Omit<Extract<Numbered, { type: "error" }>["error"], "event_id">;

/** Schema of the body that refuses a connection. */
export const refusalSchema = v.strictObject({
  error: v.strictObject({ ...fault, type: v.picklist(["invalid_request_error", "rate_limit_error", "server_error"]) }),
});
export type Refusal = v.InferOutput<typeof refusalSchema>;
