import { FILE_FIELD } from "../../dialects/openai/files/dialect.ts";
import { type FormField, GRANULARITIES, RESPONSE_FORMATS } from "../../dialects/openai/files/fields.ts";
import type { ErrorCode } from "../../protocol/errors.ts";
import { type Json, schemaReference } from "../../protocol/json-schema.ts";
import { json, refusals } from "./operation.ts";
import { RECORDED_PARAMETERS } from "./query-parameters.ts";

/** What an upload is refused with, or ends with. */
const REFUSALS: readonly ErrorCode[] = [
  "invalid_request",
  "unauthorized",
  "host_not_allowed",
  "origin_not_allowed",
  "session_limit",
  "message_too_big",
  "unsupported_format",
  "format_mismatch",
  "too_many_sessions",
  "internal",
  "inference_failed",
  "overloaded",
  "not_ready",
  "draining",
  "model_unavailable",
  "worker_crashed",
  "inference_timeout",
];

const TEXT = { type: "string" };
/** As code generators know it from version 3.0. */
const BINARY = { type: "string", format: "binary" };
const FLAG = { type: "boolean", default: false };

/** Fields of the form of a transcription. */
const FORM: Readonly<Record<Exclude<FormField, "timestamp_granularities" | "keywords">, Json>> = {
  model: { ...TEXT, description: "Name of the model.", "x-default": "the server's default" },
  language: { ...TEXT, maxLength: 64, description: "Code of the language, for models that take it." },
  prompt: { ...TEXT, description: "Text that came before, for models that take it." },
  response_format: { ...TEXT, enum: [...RESPONSE_FORMATS], default: "json", description: "Form of the answer." },
  temperature: { type: "number", minimum: 0, maximum: 1, default: 0, description: "Repeated in segments." },
  stream: { ...FLAG, description: "With `json` or `text`: the answer is server-sent events." },
};

const FORM_LISTS: Readonly<Record<"timestamp_granularities[]" | "keywords[]", Json>> = {
  "timestamp_granularities[]": {
    type: "array",
    items: { type: "string", enum: [...GRANULARITIES] },
    default: ["segment"],
    description: "Parts of `verbose_json`.",
  },
  "keywords[]": { type: "array", items: TEXT, description: "Words that are likely, for models that take them." },
};

const TRANSCRIBED = { text: "turn left here", usage: { type: "duration", seconds: 1.9 } };
const VERBOSE = {
  task: "transcribe",
  language: "en",
  duration: 1.9,
  ...TRANSCRIBED,
  words: [{ word: "turn", start: 0.12, end: 0.87 }],
};

const plain = (type: string): Json => ({ [type]: { schema: TEXT } });

/** Schemas of bodies that clients send, by name. */
export const FORM_SCHEMAS: Readonly<Record<string, Json>> = {
  TranscriptionForm: {
    title: "TranscriptionForm",
    description: "The form with a file. Other fields, and empty ones, are ignored.",
    type: "object",
    required: [FILE_FIELD],
    properties: {
      ...FORM,
      ...FORM_LISTS,
      [FILE_FIELD]: { ...BINARY, description: "The WAV file." },
    },
  },
};

const TRANSCRIPTION = {
  operationId: "createTranscription",
  tags: ["Files"],
  summary: "Recognises a file, as OpenAI's API does",
  description:
    "The form has a WAV file of up to `limits.file_mb` MiB. Put it last: it is then recognised while it is received. " +
    "Other fields, and empty ones, are ignored.",
  requestBody: {
    required: true,
    content: {
      "multipart/form-data": {
        schema: { $ref: "#/components/schemas/TranscriptionForm" },
      },
    },
  },
  responses: {
    "200": {
      description: "The text.",
      content: {
        "application/json": {
          schema: { anyOf: ["VerboseTranscription", "Transcription"].map(schemaReference) },
          examples: { json: { value: TRANSCRIBED }, verbose_json: { value: VERBOSE } },
        },
        ...plain("text/plain"),
        ...plain("application/x-subrip"),
        ...plain("text/vtt"),
        "text/event-stream": {
          schema: {
            ...TEXT,
            contentMediaType: "application/json",
            contentSchema: schemaReference("TranscriptionEvent"),
            description: "Server-sent events, whose `data` are of this schema. One with an `error` ends the answer.",
          },
        },
      },
    },
    ...refusals([...REFUSALS, "unknown_model"], { schemas: ["OpenAiError"], isUpload: true }),
    ...refusals(["invalid_request"], { schemas: ["OpenAiError", "ErrorEvent"], isUpload: true }),
  },
};

const LISTEN = {
  operationId: "listenToFile",
  tags: ["Files"],
  summary: "Recognises a file, as Deepgram's API does",
  description:
    "The body is a WAV file, or raw samples with `encoding` and `sample_rate`, of up to `limits.file_mb` MiB. " +
    "`callback` is refused; other parameters, and empty ones, are ignored.",
  security: [{}, { token: [] }, { ticket: [] }, { tokenScheme: [] }],
  parameters: RECORDED_PARAMETERS,
  requestBody: {
    required: true,
    content: { "application/octet-stream": { schema: BINARY }, "audio/*": { schema: BINARY } },
  },
  responses: {
    "200": {
      ...json("DeepgramTranscription", "The text."),
      headers: { "dg-request-id": { description: "Names the request.", schema: { type: "string", format: "uuid" } } },
    },
    ...refusals(REFUSALS, { schemas: ["DeepgramError"], isUpload: true }),
    ...refusals(["invalid_request"], { schemas: ["DeepgramError", "ErrorEvent"], isUpload: true }),
  },
};

/** What is at the paths of files, by dialect. */
export const FILE_OPERATIONS: Readonly<Record<string, Json>> = {
  openai: { ...TRANSCRIPTION, security: [{}, { token: [] }, { ticket: [] }] },
  deepgram: LISTEN,
};
