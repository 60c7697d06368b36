import { ms, type ObjectText, seconds } from "../../protocol/texts/field-text.ts";

const EXTRAS = "The other fields of the model's output, with `dialects.extras` on.";
const CONFIDENCE = "How sure the model is, 0 to 1; 1 if it does not say.";
const WORDS = "The words. Where the model has none, the text is divided evenly.";
const START = seconds("Start.");
const END = seconds("End.");

/** What bodies mean, by the names of their schemas. Times are seconds from the first sample. */
export const BODY_TEXTS = {
  Health: { description: "The process works.", fields: { status: "Always this." } },
  Readiness: { description: "The server takes streams.", fields: { status: "Always this." } },
  Ticket: {
    description: "A ticket for one connection.",
    fields: { ticket: "The ticket.", expires_in_ms: ms("Time for which it is valid.") },
  },
  Reload: { description: "What became of each model.", fields: { models: "The models, of every process." } },
  ReloadResult: {
    description: "What became of a model.",
    fields: {
      process: "Number of the process, if there are several.",
      model: "Name of the model, after the reload.",
      result:
        "`loaded`; `failed`: it could not be loaded; `refused`: too many generations are in use. In the last two " +
        "cases nothing has changed.",
      generation: "The generation that new streams get now.",
      load_ms: ms("Time that it took to load."),
      reason: "Why it was not loaded.",
      earlier: "Generations before, with the streams that use them.",
    },
  },
  EarlierGeneration: {
    description: "A generation of a model that streams still use.",
    fields: { generation: "Its number.", streams: "Its open streams." },
  },
  Transcription: {
    description: "The text of a file, with `response_format` `json`.",
    fields: { text: "The text." },
  },
  TranscriptionUsage: {
    description: "What the file is counted as.",
    fields: { type: "Always this.", seconds: seconds("Duration of the file.") },
  },
  VerboseTranscription: {
    description: "The text of a file and its parts, with `response_format` `verbose_json`.",
    fields: {
      task: "Always this.",
      language: "The language that the model names, or else the form; `unknown` without either.",
      duration: seconds("Duration of the file."),
      text: "The text.",
      segments: "The utterances. With `timestamp_granularities` `segment`, or without any.",
      words: "The words. With `timestamp_granularities` `word`.",
    },
  },
  TranscriptionSegment: {
    description: "An utterance.",
    fields: {
      id: "Its number, from 0.",
      seek: "Always 0.",
      start: START,
      end: END,
      text: "Its text.",
      tokens: "Always empty.",
      temperature: "That of the form.",
      avg_logprob: "Logarithm of the confidence of the model.",
      compression_ratio: "Not measured: 1.",
      no_speech_prob: "Not measured: 0.",
      streamer: EXTRAS,
    },
  },
  TranscriptionWord: { description: "A word.", fields: { word: "The word.", start: START, end: END } },
  TranscriptionEvent: { description: "The data of a server-sent event, with `stream`.", fields: {} },
  TranscriptTextDelta: {
    description: "The text of an utterance, as soon as it is known.",
    fields: { type: "Names the event.", delta: "The text that follows on what came before." },
  },
  TranscriptTextDone: {
    description: "The last event.",
    fields: { type: "Names the event.", text: "The whole text." },
  },
  OpenAiError: { description: "An error, as OpenAI's API for files reports it.", fields: {} },
  OpenAiErrorDetail: {
    description: "An error.",
    fields: {
      message: "For people.",
      type: "`invalid_request_error`, `requests` (too many) or `server_error`.",
      param: "The field with the error.",
      code: "`invalid_api_key`, `rate_limit_exceeded`, `model_not_found`, or a code of the native protocol.",
    },
  },
  RealtimeError: { description: "A refusal, as OpenAI's Realtime API has it.", fields: {} },
  RealtimeErrorDetail: {
    description: "An error.",
    fields: { type: "Its kind.", code: "For programs.", message: "For people.", param: "The field with the error." },
  },
  DeepgramTranscription: { description: "The text of a file, as Deepgram's API has it.", fields: {} },
  DeepgramMetadata: {
    description: "About the file and the model.",
    fields: {
      transaction_key: "Always this.",
      request_id: "Names the request.",
      sha256: "SHA-256 of the file, in hexadecimal digits.",
      created: "Time of the request.",
      duration: seconds("Duration of the file."),
      channels: "Channels that were recognised.",
      models: "Keys of `model_info`.",
      model_info: "The model, by a key.",
    },
  },
  DeepgramResults: {
    description: "The texts.",
    fields: { channels: "The text of each channel.", utterances: "The utterances. With `utterances=true`." },
  },
  DeepgramChannel: {
    description: "The text of a channel.",
    fields: { alternatives: "Always one.", detected_language: "The language that the model names." },
  },
  DeepgramAlternative: {
    description: "A text.",
    fields: { transcript: "The text.", confidence: CONFIDENCE, words: WORDS },
  },
  DeepgramUtterance: {
    description: "An utterance.",
    fields: {
      start: START,
      end: END,
      confidence: CONFIDENCE,
      channel: "The channel, from 0.",
      transcript: "The text.",
      words: WORDS,
      id: "Names the utterance.",
      streamer: EXTRAS,
    },
  },
  DeepgramWord: {
    description: "A word.",
    fields: {
      word: "The word, without punctuation marks.",
      start: START,
      end: END,
      confidence: CONFIDENCE,
      punctuated_word: "The word as it stands in the text.",
    },
  },
  DeepgramError: {
    description: "An error, as Deepgram's API reports it.",
    fields: { err_code: "For programs.", err_msg: "For people.", request_id: "Names the request." },
  },
  AssemblyAiError: {
    description: "A refusal, as AssemblyAI's streaming API has it.",
    fields: { type: "Always this.", error_code: "For programs.", error: "For people." },
  },
  SpeechmaticsError: {
    description: "A refusal, as Speechmatics' realtime API has it.",
    fields: { message: "Always this.", type: "For programs.", reason: "For people." },
  },
} as const satisfies Record<string, ObjectText>;
