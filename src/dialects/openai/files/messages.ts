import * as v from "valibot";

/*
 * The bodies of OpenAI's audio transcriptions. Times are seconds from the first sample. Clients require every field of
 * a segment.
 */

const seconds = v.pipe(v.number(), v.minValue(0));
const usageSchema = v.object({ type: v.literal("duration"), seconds });

/** `response_format` json. */
export const transcriptionSchema = v.object({ text: v.string(), usage: usageSchema });
export type Transcription = v.InferOutput<typeof transcriptionSchema>;

const wordSchema = v.object({ word: v.string(), start: seconds, end: seconds });

const segmentSchema = v.object({
  id: v.pipe(v.number(), v.integer()),
  seek: v.literal(0),
  start: seconds,
  end: seconds,
  text: v.string(),
  tokens: v.array(v.number()),
  temperature: v.number(),
  avg_logprob: v.number(),
  compression_ratio: v.number(),
  no_speech_prob: v.number(),
  streamer: v.optional(v.record(v.string(), v.unknown())),
});
export type Segment = v.InferOutput<typeof segmentSchema>;

/** `response_format` verbose_json. */
export const verboseSchema = v.object({
  task: v.literal("transcribe"),
  language: v.string(),
  duration: seconds,
  text: v.string(),
  segments: v.optional(v.array(segmentSchema)),
  words: v.optional(v.array(wordSchema)),
  usage: usageSchema,
});
export type Verbose = v.InferOutput<typeof verboseSchema>;

/** An event of an answer with `stream`. */
export const streamEventSchema = v.variant("type", [
  v.object({ type: v.literal("transcript.text.delta"), delta: v.string() }),
  v.object({ type: v.literal("transcript.text.done"), text: v.string() }),
]);
export type StreamEvent = v.InferOutput<typeof streamEventSchema>;

/** The body that reports an error. */
export const errorSchema = v.object({
  error: v.object({
    message: v.string(),
    type: v.string(),
    param: v.nullable(v.string()),
    code: v.nullable(v.string()),
  }),
});
export type ErrorBody = v.InferOutput<typeof errorSchema>;
