import definitions from "../../protocol/proto/google/cloud/speech/v2/cloud_speech.proto" with { type: "text" };
import { durationOf, resultFields, separated, streamedFields } from "../speech/alternatives.ts";
import type { Plain, SpeechApi, SpeechResult } from "../speech/api.ts";
import { audioWishes, type EncodingNames, languageWish } from "../speech/wishes.ts";
import type { SpokenWord } from "../words.ts";
import { contentOf } from "./content.ts";

const ENCODINGS: EncodingNames = {
  taken: {
    1: { name: "LINEAR16", format: "s16" },
    2: { name: "MULAW", format: "mulaw" },
    3: { name: "ALAW", format: "alaw" },
  },
  others: {
    4: "AMR",
    5: "AMR_WB",
    6: "FLAC",
    7: "MP3",
    8: "OGG_OPUS",
    9: "WEBM_OPUS",
    10: "MP4_AAC",
    11: "M4A_AAC",
    12: "MOV_AAC",
  },
};

/** A StreamingRecognizeRequest with its configuration. */
interface Request {
  readonly recognizer?: string;
  readonly streaming_config?: {
    readonly streaming_features?: {
      readonly interim_results?: boolean;
      readonly enable_voice_activity_events?: boolean;
    };
    readonly config?: {
      readonly explicit_decoding_config?: {
        readonly encoding?: number;
        readonly sample_rate_hertz?: number;
        readonly audio_channel_count?: number;
      };
      readonly features?: {
        readonly enable_word_time_offsets?: boolean;
        readonly enable_word_confidence?: boolean;
      };
      readonly model?: string;
      readonly language_codes?: readonly string[];
    };
  };
}

/** Version 2 of Google's Speech-to-Text API. */
export const googleV2: SpeechApi = {
  dialect: "google",
  package: "google.cloud.speech.v2",
  service: "Speech",
  definitions,
  audio: { name: "audio", number: 5 },
  messages: {
    streamed: (result) => ({ results: [{ ...fieldsOf(result), ...streamedFields(result) }] }),
    whole: (results) => ({ results: separated(results).map(fieldsOf) }),
    event: (speech_event_type, time) => ({ speech_event_type, speech_event_offset: durationOf(time) }),
  },
  wishes(request) {
    const { recognizer = "", streaming_config = {} } = request as Request;
    const { config = {}, streaming_features: streaming = {} } = streaming_config;
    const { features = {} } = config;
    return {
      audio: audioWishes(config.explicit_decoding_config, ENCODINGS),
      interims: streaming.interim_results ?? false,
      words: features.enable_word_time_offsets === true || features.enable_word_confidence === true,
      speechEvents: streaming.enable_voice_activity_events ?? false,
      singleUtterance: false,
      model: config.model || recognizerName(recognizer),
      language: languageWish(config.language_codes ?? []),
      vocabulary: undefined,
      silenceMs: undefined,
    };
  },
  split({ content, uri, ...rest }) {
    const { recognizer = "", config = {} } = rest;
    return { request: { recognizer, streaming_config: { config } }, audio: contentOf({ content, uri }) };
  },
};

/** A recognizer is a model with its settings; `_` is none. */
function recognizerName(recognizer: string): string | undefined {
  const name = recognizer.slice(recognizer.lastIndexOf("/") + 1);
  return name === "" || name === "_" ? undefined : name;
}

function fieldsOf(result: SpeechResult): Plain {
  const language_code = result.language ?? "";
  return { ...resultFields(result, wordOf), language_code, result_end_offset: durationOf(result.end) };
}

function wordOf({ word, start, end, confidence }: SpokenWord): Plain {
  return { start_offset: durationOf(start), end_offset: durationOf(end), word, confidence };
}
