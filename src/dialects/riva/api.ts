import definitions from "../../protocol/proto/nvidia/riva/asr/riva_asr.proto" with { type: "text" };
import { resultFields, separated, streamedFields } from "../speech/alternatives.ts";
import type { Plain, SpeechApi, SpeechResult } from "../speech/api.ts";
import { audioWishes, type EncodingNames, languageWish, vocabularyWish } from "../speech/wishes.ts";
import type { SpokenWord } from "../words.ts";

const MILLISECONDS = 1_000;

const ENCODINGS: EncodingNames = {
  taken: {
    1: { name: "LINEAR_PCM", format: "s16" },
    3: { name: "MULAW", format: "mulaw" },
    20: { name: "ALAW", format: "alaw" },
  },
  others: { 2: "FLAC", 4: "OGGOPUS" },
};

/** A StreamingRecognizeRequest with its configuration. */
interface Request {
  readonly streaming_config?: {
    readonly interim_results?: boolean;
    readonly config?: {
      readonly encoding?: number;
      readonly sample_rate_hertz?: number;
      readonly audio_channel_count?: number;
      readonly language_code?: string;
      readonly model?: string;
      readonly enable_word_time_offsets?: boolean;
      readonly speech_contexts?: readonly { readonly phrases?: readonly string[] }[];
      readonly endpointing_config?: { readonly stop_history?: number };
    };
  };
}

/** NVIDIA Riva's API. */
export const riva: SpeechApi = {
  dialect: "riva",
  package: "nvidia.riva.asr",
  service: "RivaSpeechRecognition",
  definitions,
  audio: { name: "audio_content", number: 2 },
  messages: {
    streamed: (result) => ({
      results: [{ ...fieldsOf(result), ...streamedFields(result) }],
    }),
    whole: (results) => ({ results: separated(results).map(fieldsOf) }),
  },
  wishes(request) {
    const { interim_results: interims = false, config = {} } = (request as Request).streaming_config ?? {};
    const silence = config.endpointing_config?.stop_history ?? 0;
    return {
      audio: audioWishes(config, ENCODINGS),
      interims,
      words: config.enable_word_time_offsets ?? false,
      speechEvents: false,
      singleUtterance: false,
      model: config.model || undefined,
      language: languageWish([config.language_code]),
      vocabulary: vocabularyWish(config.speech_contexts),
      silenceMs: silence > 0 ? silence : undefined,
    };
  },
  split({ config = {}, audio }) {
    return { request: { streaming_config: { config } }, audio: audio instanceof Uint8Array ? audio : undefined };
  },
};

function fieldsOf(result: SpeechResult): Plain {
  const language = result.language === undefined ? {} : { language_code: [result.language] };
  return { ...resultFields(result, wordOf, language), audio_processed: result.end };
}

function wordOf({ word, start, end, confidence }: SpokenWord): Plain {
  const [start_time, end_time] = [start, end].map((seconds) => Math.round(seconds * MILLISECONDS));
  return { start_time, end_time, word, confidence };
}
