import * as v from "valibot";

import { errorSchema as assemblyAiError } from "../../dialects/assemblyai/messages.ts";
import { recordedSchema } from "../../dialects/deepgram/files/messages.ts";
import { refusalSchema as deepgramError } from "../../dialects/deepgram/messages.ts";
import {
  errorSchema as openAiError,
  streamEventSchema,
  transcriptionSchema,
  verboseSchema,
} from "../../dialects/openai/files/messages.ts";
import { refusalSchema as realtimeError } from "../../dialects/openai/messages.ts";
import { errorSchema as speechmaticsError } from "../../dialects/speechmatics/messages.ts";
import { count, text } from "../../protocol/field.ts";
import { type Json, namedSchemas } from "../../protocol/json-schema.ts";
import { eventSchemas } from "../../protocol/schemas.ts";
import { BODY_TEXTS } from "./body-texts.ts";
import { INFO_SCHEMAS, limitSchemas } from "./info-schema.ts";
import { INFO_TEXTS } from "./info-texts.ts";

const earlierSchema = v.strictObject({ generation: count(), streams: count() });

const reloadResultSchema = v.strictObject({
  process: v.optional(count()),
  model: text(),
  result: v.picklist(["loaded", "failed", "refused"]),
  generation: count(),
  load_ms: v.optional(v.pipe(v.number(), v.minValue(0))),
  reason: v.optional(text()),
  earlier: v.array(earlierSchema),
});

const [textDelta, textDone] = streamEventSchema.options;
const { channels, utterances } = recordedSchema.entries.results.entries;
const { segments, words } = verboseSchema.entries;

/** Schemas of bodies by name. */
const SCHEMAS = {
  ...INFO_SCHEMAS,
  Health: v.strictObject({ status: v.literal("healthy") }),
  Readiness: v.strictObject({ status: v.literal("ready") }),
  Ticket: v.strictObject({ ticket: text(), expires_in_ms: count() }),
  Reload: v.strictObject({ models: v.array(reloadResultSchema) }),
  ReloadResult: reloadResultSchema,
  EarlierGeneration: earlierSchema,
  Transcription: transcriptionSchema,
  TranscriptionUsage: transcriptionSchema.entries.usage,
  VerboseTranscription: verboseSchema,
  TranscriptionSegment: segments.wrapped.item,
  TranscriptionWord: words.wrapped.item,
  TranscriptionEvent: streamEventSchema,
  TranscriptTextDelta: textDelta,
  TranscriptTextDone: textDone,
  OpenAiError: openAiError,
  OpenAiErrorDetail: openAiError.entries.error,
  RealtimeError: realtimeError,
  RealtimeErrorDetail: realtimeError.entries.error,
  DeepgramTranscription: recordedSchema,
  DeepgramMetadata: recordedSchema.entries.metadata,
  DeepgramResults: recordedSchema.entries.results,
  DeepgramChannel: channels.item,
  DeepgramAlternative: channels.item.entries.alternatives.item,
  DeepgramUtterance: utterances.wrapped.item,
  DeepgramWord: utterances.wrapped.item.entries.words.item,
  DeepgramError: deepgramError,
  AssemblyAiError: assemblyAiError,
  SpeechmaticsError: speechmaticsError,
} as const;

/** The name of a schema among the components. */
export type BodySchema = Exclude<keyof typeof SCHEMAS, "Limits"> | "ErrorEvent";

/** Returns the JSON schemas of all bodies, by name. */
export function bodySchemas(): Record<string, Json> {
  const target = "draft-2020-12";
  const { ErrorEvent } = eventSchemas(target);
  const { TranscriptionEvent, ...schemas } = namedSchemas(SCHEMAS, {
    texts: { ...INFO_TEXTS, ...BODY_TEXTS },
    typeMode: "output",
    target,
    overrideAction: ({ valibotAction: { type } }) => (type === "hash" ? { pattern: "^[0-9a-f]{64}$" } : undefined),
  });
  const events = {
    title: "TranscriptionEvent",
    description: BODY_TEXTS.TranscriptionEvent.description,
    oneOf: TranscriptionEvent?.["oneOf"] ?? TranscriptionEvent?.["anyOf"],
    discriminator: {
      propertyName: "type",
      mapping: {
        [textDelta.entries.type.literal]: "#/components/schemas/TranscriptTextDelta",
        [textDone.entries.type.literal]: "#/components/schemas/TranscriptTextDone",
      },
    },
  };
  return { ErrorEvent: ErrorEvent ?? {}, ...schemas, TranscriptionEvent: events, ...limitSchemas() };
}
