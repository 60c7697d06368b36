import * as v from "valibot";

import { MAX_SAMPLE_RATE, MIN_SAMPLE_RATE, type SampleFormat } from "../../lib/sample-format.ts";
import { whole } from "../../protocol/field.ts";

/*
 * The JSON messages of Speechmatics' realtime API (version 2), as far as they are spoken here. Times are seconds from
 * the first sample.
 */

/** The names of sample formats in `audio_format`. */
export const ENCODINGS = { pcm_s16le: "s16", pcm_f32le: "f32", mulaw: "mulaw" } as const satisfies Record<
  string,
  SampleFormat
>;
const ENCODING_NAMES = Object.keys(ENCODINGS) as (keyof typeof ENCODINGS)[];

const rawSchema = v.looseObject({
  type: v.literal("raw"),
  encoding: v.picklist(ENCODING_NAMES, `one of ${ENCODING_NAMES.join(", ")}`),
  sample_rate: whole(MIN_SAMPLE_RATE, MAX_SAMPLE_RATE),
});
const fileSchema = v.looseObject({ type: v.literal("file") });

const object = "an object";
const text = () => v.optional(v.string("a string"));

/** The part of a configuration that can change while a recognition runs. */
const changeableSchema = v.looseObject({ enable_partials: v.optional(v.boolean("true or false")) }, object);

const transcriptionConfigSchema = v.looseObject(
  {
    ...changeableSchema.entries,
    language: text(),
    model: text(),
    /** The older name of `model`. */
    operating_point: text(),
    additional_vocab: v.optional(
      v.array(
        v.union([v.string(), v.looseObject({ content: v.string() })], "a word, or an object with content"),
        "an array of words",
      ),
    ),
    conversation_config: v.optional(
      v.looseObject({ end_of_utterance_silence_trigger: v.optional(v.number("seconds")) }, object),
    ),
  },
  object,
);

/** Schemas of a client's text messages by the value of `message`. Clients add fields. */
export const CONTROLS = {
  StartRecognition: v.looseObject({
    message: v.literal("StartRecognition"),
    audio_format: v.optional(v.variant("type", [rawSchema, fileSchema], 'an object with the type "raw" or "file"'), {
      type: "file",
    }),
    transcription_config: v.optional(transcriptionConfigSchema, {}),
  }),
  EndOfStream: v.looseObject({ message: v.literal("EndOfStream") }),
  ForceEndOfUtterance: v.looseObject({ message: v.literal("ForceEndOfUtterance") }),
  SetRecognitionConfig: v.looseObject({
    message: v.literal("SetRecognitionConfig"),
    transcription_config: v.optional(changeableSchema, {}),
  }),
  GetSpeakers: v.looseObject({ message: v.literal("GetSpeakers") }),
} as const;

export type Control = {
  [Name in keyof typeof CONTROLS]: v.InferOutput<(typeof CONTROLS)[Name]>;
}[keyof typeof CONTROLS];
export type StartRecognition = v.InferOutput<typeof CONTROLS.StartRecognition>;

const seconds = v.pipe(v.number(), v.minValue(0));
/** Name of a channel, if the audio has several. */
const channel = v.optional(v.string());

const recognitionStartedSchema = v.strictObject({
  message: v.literal("RecognitionStarted"),
  id: v.string(),
  orchestrator_version: v.string(),
  language_pack_info: v.strictObject({ word_delimiter: v.string(), language_description: v.string() }),
});

export type RecognitionStarted = v.InferOutput<typeof recognitionStartedSchema>;

const audioAddedSchema = v.strictObject({
  message: v.literal("AudioAdded"),
  seq_no: v.pipe(v.number(), v.integer(), v.minValue(1)),
});

const resultSchema = v.strictObject({
  type: v.literal("word"),
  start_time: seconds,
  end_time: seconds,
  alternatives: v.array(
    v.strictObject({
      content: v.string(),
      confidence: v.pipe(v.number(), v.minValue(0), v.maxValue(1)),
      language: v.optional(v.string()),
      /** UU: nobody in particular. */
      speaker: v.literal("UU"),
    }),
  ),
});

const transcript = {
  format: v.literal("2.9"),
  metadata: v.strictObject({ start_time: seconds, end_time: seconds, transcript: v.string() }),
  results: v.array(resultSchema),
  channel,
  streamer: v.optional(v.record(v.string(), v.unknown())),
};
const addPartialTranscriptSchema = v.strictObject({ message: v.literal("AddPartialTranscript"), ...transcript });
const addTranscriptSchema = v.strictObject({ message: v.literal("AddTranscript"), ...transcript });
export type AddTranscript = v.InferOutput<typeof addTranscriptSchema>;
export type AddPartialTranscript = v.InferOutput<typeof addPartialTranscriptSchema>;

const endOfUtteranceSchema = v.strictObject({
  message: v.literal("EndOfUtterance"),
  metadata: v.strictObject({ start_time: seconds, end_time: seconds }),
  channel,
});

export type EndOfUtterance = v.InferOutput<typeof endOfUtteranceSchema>;

const speakersResultSchema = v.strictObject({ message: v.literal("SpeakersResult"), speakers: v.tuple([]) });

const endOfTranscriptSchema = v.strictObject({ message: v.literal("EndOfTranscript") });

const warningSchema = v.strictObject({ message: v.literal("Warning"), type: v.string(), reason: v.string() });

/** What a recognition ends for, or is refused for. */
const ERROR_TYPES = [
  "invalid_message",
  "invalid_model",
  "invalid_config",
  "invalid_audio_type",
  "not_authorised",
  "not_allowed",
  "job_error",
  "protocol_error",
  "quota_exceeded",
  "idle_timeout",
  "session_timeout",
] as const;
export type ErrorType = (typeof ERROR_TYPES)[number];

/** Schema of what ends a recognition, which is also the body that refuses a connection. */
export const errorSchema = v.strictObject({
  message: v.literal("Error"),
  type: v.picklist(ERROR_TYPES),
  reason: v.string(),
});
export type ErrorMessage = v.InferOutput<typeof errorSchema>;

/** Schema of every message of the server. */
export const serverMessageSchema = v.variant("message", [
  recognitionStartedSchema,
  audioAddedSchema,
  addPartialTranscriptSchema,
  addTranscriptSchema,
  endOfUtteranceSchema,
  speakersResultSchema,
  endOfTranscriptSchema,
  warningSchema,
  errorSchema,
]);
export type ServerMessage = v.InferOutput<typeof serverMessageSchema>;
