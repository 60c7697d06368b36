import * as v from "valibot";

/*
 * The JSON messages of AssemblyAI's streaming API (version 3), as far as they are spoken here. Times are whole
 * milliseconds from the first sample: clients refuse fractions, and turns with a field missing.
 */

/** Schema of what the server needs of a client's text message. Clients add fields. */
export const controlSchema = v.variant("type", [
  v.looseObject({ type: v.literal("ForceEndpoint") }),
  v.looseObject({ type: v.literal("KeepAlive") }),
  v.looseObject({ type: v.literal("Terminate") }),
  v.looseObject({
    type: v.literal("UpdateConfiguration"),
    format_turns: v.nullish(v.boolean("true or false")),
  }),
]);
export type Control = v.InferOutput<typeof controlSchema>;

/** The types of a client's text messages. */
export const CONTROLS = controlSchema.options.map(({ entries }) => entries.type.literal);

const whole = v.pipe(v.number(), v.integer(), v.minValue(0));
const probability = v.pipe(v.number(), v.minValue(0), v.maxValue(1));

const beginSchema = v.object({
  type: v.literal("Begin"),
  id: v.pipe(v.string(), v.uuid()),
  /** Unix time, seconds. */
  expires_at: whole,
  configuration: v.object({ model: v.optional(v.string()), api_version: v.literal("v3") }),
});

const wordSchema = v.object({
  text: v.string(),
  start: whole,
  end: whole,
  confidence: probability,
  word_is_final: v.boolean(),
});

const turnSchema = v.object({
  type: v.literal("Turn"),
  turn_order: whole,
  turn_is_formatted: v.boolean(),
  end_of_turn: v.boolean(),
  transcript: v.string(),
  utterance: v.string(),
  end_of_turn_confidence: probability,
  words: v.array(wordSchema),
  language_code: v.optional(v.string()),
  streamer: v.optional(v.record(v.string(), v.unknown())),
});
export type Turn = v.InferOutput<typeof turnSchema>;

const speechStartedSchema = v.object({ type: v.literal("SpeechStarted"), timestamp: whole });

const terminationSchema = v.object({
  type: v.literal("Termination"),
  audio_duration_seconds: whole,
  session_duration_seconds: whole,
});

/** Schema of the message before a close that is no good one, and of the body that refuses a connection. */
export const errorSchema = v.object({ type: v.literal("Error"), error_code: whole, error: v.string() });
export type ErrorMessage = v.InferOutput<typeof errorSchema>;

const warningSchema = v.object({ type: v.literal("Warning"), warning_code: whole, warning: v.string() });

/** Schema of every message of the server. */
export const serverMessageSchema = v.variant("type", [
  beginSchema,
  turnSchema,
  speechStartedSchema,
  terminationSchema,
  errorSchema,
  warningSchema,
]);
export type ServerMessage = v.InferOutput<typeof serverMessageSchema>;
