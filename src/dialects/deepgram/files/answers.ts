import type { ErrorCode, ProtocolError } from "../../../protocol/errors.ts";
import { PROTOCOL_VERSION } from "../../../protocol/version.ts";
import type { Message } from "../../dialect.ts";
import { type Answer, answerMessages, errorAnswer, jsonAnswer } from "../../files/answer.ts";
import type { AnswerForm } from "../../files/file-dialect.ts";
import type { Passage, Transcript } from "../../files/transcript.ts";
import type { SpokenWord } from "../../words.ts";
import type { Refusal } from "../messages.ts";
import { NO_ID } from "../results.ts";
import { REFUSALS } from "../route.ts";
import type { Recorded, RecordedChannel, Utterance } from "./messages.ts";

/** Deepgram's names of what can go wrong with a file, beside those of a connection. */
const NAMES: Partial<Record<ErrorCode, string>> = {
  message_too_big: "PAYLOAD_TOO_LARGE",
  unsupported_format: "UNSUPPORTED_MEDIA_TYPE",
  format_mismatch: "UNSUPPORTED_MEDIA_TYPE",
  start_timeout: "REQUEST_TIMEOUT",
  idle_timeout: "REQUEST_TIMEOUT",
  session_limit: "REQUEST_TIMEOUT",
  inference_timeout: "GATEWAY_TIMEOUT",
  inference_failed: "INTERNAL_SERVER_ERROR",
  worker_crashed: "SERVICE_UNAVAILABLE",
  model_unavailable: "SERVICE_UNAVAILABLE",
};

/** Returns the answer that reports an error. @param requestId a UUID */
export function refuse(error: ProtocolError, requestId: string = crypto.randomUUID()): Answer {
  const { code, message } = error;
  const name = NAMES[code] ?? REFUSALS[code] ?? "INVALID_QUERY_PARAMETER";
  const body: Refusal = { err_code: name, err_msg: message, request_id: requestId };
  return errorAnswer(error, body);
}

export interface RecordedAnswersOptions {
  /** A UUID. */
  readonly requestId: string;
  /** Time of the request, ISO 8601. */
  readonly created: string;
  /** The answer has a list of utterances. */
  readonly utterances: boolean;
  /** The model's other fields are sent, too. */
  readonly extras: boolean;
  /** Returns the digest of the file, in hexadecimal digits. */
  readonly sha256: () => string;
}

/** The answer of Deepgram's API for recorded audio: the text of each channel, and its utterances. */
export class RecordedAnswers implements AnswerForm {
  readonly #options: RecordedAnswersOptions;

  constructor(options: RecordedAnswersOptions) {
    this.#options = options;
  }

  complete(transcript: Transcript): readonly Message[] {
    const { requestId, created, utterances, sha256 } = this.#options;
    const { model, channels, seconds, passages } = transcript;
    const body: Recorded = {
      metadata: {
        transaction_key: "deprecated",
        request_id: requestId,
        sha256: sha256(),
        created,
        duration: seconds,
        channels,
        models: [NO_ID],
        model_info: { [NO_ID]: { name: model, version: PROTOCOL_VERSION, arch: "streamer" } },
      },
      results: {
        channels: Array.from({ length: channels }, (_, channel) => channelOf(transcript, channel)),
        ...(utterances && { utterances: passages.map((passage) => this.#utterance(passage)) }),
      },
    };
    return answerMessages(jsonAnswer(body, { "dg-request-id": requestId }));
  }

  refuse(error: ProtocolError): Answer {
    return refuse(error, this.#options.requestId);
  }

  #utterance({ start, end, channel, text, words, confidence, others }: Passage): Utterance {
    return {
      start,
      end,
      confidence,
      channel,
      transcript: text.trim(),
      words: words.map(wordOf),
      id: crypto.randomUUID(),
      ...(this.#options.extras && Object.keys(others).length > 0 && { streamer: { ...others } }),
    };
  }
}

function channelOf(transcript: Transcript, channel: number): RecordedChannel {
  const passages = transcript.passages.filter((passage) => passage.channel === channel);
  const sum = passages.reduce((total, { confidence }) => total + confidence, 0);
  const language = passages.find((passage) => passage.language !== undefined)?.language;
  return {
    ...(language !== undefined && { detected_language: language }),
    alternatives: [
      {
        transcript: transcript.text(channel),
        confidence: passages.length === 0 ? 0 : sum / passages.length,
        words: passages.flatMap(({ words }) => words.map(wordOf)),
      },
    ],
  };
}

function wordOf(word: SpokenWord): SpokenWord & { punctuated_word: string } {
  return { ...word, punctuated_word: word.word };
}
