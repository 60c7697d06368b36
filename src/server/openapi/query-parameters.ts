import type { AskedFields } from "../../dialects/assemblyai/query.ts";
import type { FileQueryFields } from "../../dialects/deepgram/files/query.ts";
import { ENCODING_NAMES, type ListenFields } from "../../dialects/deepgram/query.ts";
import { MAX_CHANNELS, MAX_SAMPLE_RATE, MIN_SAMPLE_RATE } from "../../lib/sample-format.ts";
import type { Json } from "../../protocol/json-schema.ts";
import { parameter } from "./operation.ts";

/** The schema of a parameter, and what it means. */
type Described = readonly [schema: Json, description: string];

const TEXT = { type: "string" };
const FLAG = { type: "boolean", default: false };
const RATE = { type: "integer", minimum: MIN_SAMPLE_RATE, maximum: MAX_SAMPLE_RATE, "x-unit": "Hz" };
const MODEL: Described = [TEXT, "Name of the model. Absent: the server's default."];
const LANGUAGE: Described = [TEXT, "Code of the language, for models that take it."];
const WORDS = "Words and phrases that are likely, for models that take them.";

/** A time of Deepgram's or AssemblyAI's, in whole milliseconds. */
function milliseconds(minimum: number, maximum?: number): Json {
  return { type: "integer", minimum, ...(maximum !== undefined && { maximum }), "x-unit": "ms" };
}

/** Parameters of a stream only. */
type StreamOnly = "interim_results" | "vad_events" | "utterance_end_ms";

const AUDIO: Readonly<Record<Exclude<keyof ListenFields, StreamOnly>, Described>> = {
  model: MODEL,
  language: LANGUAGE,
  encoding: [{ ...TEXT, enum: [...ENCODING_NAMES] }, "Encoding of raw samples. Absent: there is a WAV header."],
  sample_rate: [
    RATE,
    "Rate of raw samples; 8000 by default with `mulaw` and `alaw`, otherwise required with `encoding`.",
  ],
  channels: [{ type: "integer", minimum: 1, maximum: MAX_CHANNELS, default: 1 }, "Channels of raw samples."],
  endpointing: [
    { anyOf: [milliseconds(0), { type: "boolean" }], "x-unit": "ms" },
    "Silence that ends an utterance, at least `dialects.min_silence_ms`; `false`: 5000.",
  ],
};

const STREAM: Readonly<Record<StreamOnly, Described>> = {
  interim_results: [FLAG, "Interim results are sent."],
  vad_events: [FLAG, "`SpeechStarted` is sent."],
  utterance_end_ms: [milliseconds(1_000, 5_000), "`UtteranceEnd` is sent after so long without speech."],
};

const FILE: Readonly<Record<keyof FileQueryFields, Described>> = {
  multichannel: [FLAG, "Each channel is recognised. Otherwise they are mixed into one."],
  utterances: [FLAG, "The answer has `results.utterances`."],
  utt_split: [
    { type: "number", minimum: 0, maximum: 60, "x-unit": "s" },
    "Silence between two utterances, at least `dialects.min_silence_ms`.",
  ],
};

const JSON_TEXTS = { ...TEXT, contentMediaType: "application/json" };

const ASKED: Readonly<Record<keyof AskedFields, Described>> = {
  encoding: [{ ...TEXT, enum: ["pcm_s16le", "pcm_mulaw"], default: "pcm_s16le" }, "Encoding of the samples."],
  sample_rate: [RATE, "Rate of the samples; 8000 by default with `pcm_mulaw`, otherwise required."],
  format_turns: [FLAG, "Ends of turns say `turn_is_formatted`; the text is the model's, either way."],
  include_partial_turns: [{ type: "boolean", default: true }, "Turns are sent before they end."],
  min_turn_silence: [milliseconds(0), "Silence that ends a turn, at least `dialects.min_silence_ms`."],
  min_end_of_turn_silence_when_confident: [milliseconds(0), "The earlier name of `min_turn_silence`."],
  turn_left_pad_ms: [milliseconds(0), "Audio before the speech of a turn that the model gets, at most 1000."],
  inactivity_timeout: [
    { type: "integer", minimum: 0, "x-unit": "s" },
    "Time without a message after which the connection ends, 5 to 3600. Absent: 15 minutes without a message or ping.",
  ],
  speech_model: MODEL,
  language_code: LANGUAGE,
  language_codes: [JSON_TEXTS, "A JSON array of codes. With one code it is the language."],
  keyterms_prompt: [JSON_TEXTS, `A JSON array. ${WORDS}`],
  prompt: [TEXT, "Text that came before, for models that take it."],
};

/** Parameters that may be there several times. */
const LISTS: readonly Json[] = ["keyterm", "keywords"].map((name) => ({
  ...parameter("query", name, { type: "array", items: TEXT }, WORDS),
  explode: true,
}));

/** What is asked of a stream as Deepgram's API has it. */
export const LISTEN_PARAMETERS: readonly Json[] = [...parameters({ ...AUDIO, ...STREAM }), ...LISTS];

/** What is asked of a file as Deepgram's API has it. */
export const RECORDED_PARAMETERS: readonly Json[] = [...parameters({ ...AUDIO, ...FILE }), ...LISTS];

/** What is asked of a stream as AssemblyAI's API has it. */
export const ASSEMBLYAI_PARAMETERS: readonly Json[] = parameters(ASKED);

/** What is asked of a call of Asterisk. */
export const CALL_PARAMETERS: readonly Json[] = parameters({
  call: [TEXT, "Name of the call. Absent: the id of the channel."],
  model: MODEL,
  language: LANGUAGE,
  interim_results: [FLAG, "Interim results are reported, too."],
});

function parameters(described: Readonly<Record<string, Described>>): Json[] {
  return Object.entries(described).map(([name, [schema, text]]) => parameter("query", name, schema, text));
}
