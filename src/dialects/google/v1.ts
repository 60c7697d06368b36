import definitions from "../../protocol/proto/google/cloud/speech/v1/cloud_speech.proto" with { type: "text" };
import { durationOf, resultFields, separated, streamedFields } from "../speech/alternatives.ts";
import type { Plain, SpeechApi, SpeechResult } from "../speech/api.ts";
import { audioWishes, type EncodingNames, languageWish, vocabularyWish } from "../speech/wishes.ts";
import type { SpokenWord } from "../words.ts";
import { contentOf } from "./content.ts";

const ENCODINGS: EncodingNames = {
  taken: { 1: { name: "LINEAR16", format: "s16" }, 3: { name: "MULAW", format: "mulaw" } },
  others: {
    2: "FLAC",
    4: "AMR",
    5: "AMR_WB",
    6: "OGG_OPUS",
    7: "SPEEX_WITH_HEADER_BYTE",
    8: "MP3",
    9: "WEBM_OPUS",
  },
};

/** A StreamingRecognizeRequest with its configuration. */
interface Request {
  readonly streaming_config?: {
    readonly interim_results?: boolean;
    readonly single_utterance?: boolean;
    readonly enable_voice_activity_events?: boolean;
    readonly config?: {
      readonly encoding?: number;
      readonly sample_rate_hertz?: number;
      readonly audio_channel_count?: number;
      readonly language_code?: string;
      readonly model?: string;
      readonly enable_word_time_offsets?: boolean;
      readonly enable_word_confidence?: boolean;
      readonly speech_contexts?: readonly { readonly phrases?: readonly string[] }[];
    };
  };
}

/** Version 1 of Google's Speech-to-Text API. */
export const googleV1: SpeechApi = {
  dialect: "google",
  package: "google.cloud.speech.v1",
  service: "Speech",
  definitions,
  audio: { name: "audio_content", number: 2 },
  messages: {
    streamed: (result) => ({ results: [{ ...fieldsOf(result), ...streamedFields(result) }] }),
    whole: (results) => ({ results: separated(results).map(fieldsOf) }),
    event: (speech_event_type, time) => ({ speech_event_type, speech_event_time: durationOf(time) }),
  },
  wishes(request) {
    const { config = {}, ...streaming } = (request as Request).streaming_config ?? {};
    return {
      audio: audioWishes(config, ENCODINGS),
      interims: streaming.interim_results ?? false,
      words: config.enable_word_time_offsets === true || config.enable_word_confidence === true,
      speechEvents: streaming.enable_voice_activity_events ?? false,
      singleUtterance: streaming.single_utterance ?? false,
      model: config.model || undefined,
      language: languageWish([config.language_code]),
      vocabulary: vocabularyWish(config.speech_contexts),
      silenceMs: undefined,
    };
  },
  split({ config = {}, audio }) {
    const content = contentOf((audio ?? {}) as Plain);
    return { request: { streaming_config: { config } }, audio: content };
  },
};

function fieldsOf(result: SpeechResult): Plain {
  const language_code = result.language ?? "";
  return { ...resultFields(result, wordOf), language_code, result_end_time: durationOf(result.end) };
}

function wordOf({ word, start, end, confidence }: SpokenWord): Plain {
  return { start_time: durationOf(start), end_time: durationOf(end), word, confidence };
}
