import type { ProtocolError } from "../../../protocol/errors.ts";
import type { Message } from "../../dialect.ts";
import { answerHead, answerMessages, jsonAnswer } from "../../files/answer.ts";
import type { AnswerForm } from "../../files/file-dialect.ts";
import { subRip, webVtt } from "../../files/subtitles.ts";
import type { Passage, Transcript } from "../../files/transcript.ts";
import { errorBody, refuse } from "./errors.ts";
import type { AskedFields } from "./fields.ts";
import type { Segment, StreamEvent, Transcription, Verbose } from "./messages.ts";

/** Language of a file when neither the model nor the client names one. */
const UNKNOWN = "unknown";
/** Least confidence whose logarithm is used. */
const LEAST_CONFIDENCE = 1e-6;
/** What clients take for speech that was recognised well: there is nothing here that is measured. */
const UNMEASURED = { compression_ratio: 1, no_speech_prob: 0 } as const;

/** The answers of OpenAI's transcriptions: one body in the format that was asked for, or a stream of events. */
export class TranscriptionAnswers implements AnswerForm {
  readonly #asked: AskedFields;
  readonly #extras: boolean;
  /** The text so far. */
  #text = "";
  /** What of it has not been streamed: the field that asks for a stream may stand behind the file. */
  #unsent = "";
  #isOpen = false;

  /** @param asked of the form, which may still come @param extras the model's other fields are sent, too */
  constructor(asked: AskedFields, extras: boolean) {
    this.#asked = asked;
    this.#extras = extras;
  }

  passage({ text }: Passage): readonly Message[] {
    const delta = this.#text === "" ? text.trim() : ` ${text.trim()}`;
    this.#text += delta;
    this.#unsent += delta;
    return this.#asked.stream ? this.#stream() : [];
  }

  complete(transcript: Transcript): readonly Message[] {
    const { asked, text } = { asked: this.#asked, text: transcript.text() };
    if (asked.stream) return [...this.#stream(), event({ type: "transcript.text.done", text: this.#text })];
    const usage = { type: "duration", seconds: transcript.seconds } as const;
    switch (asked.responseFormat) {
      case "json":
        return answerMessages(jsonAnswer({ text, usage } satisfies Transcription));
      case "verbose_json":
        return answerMessages(jsonAnswer(this.#verbose(transcript, text)));
      case "text":
        return plain("text/plain", `${text}\n`);
      case "srt":
        return plain("application/x-subrip", subRip(transcript.passages));
      case "vtt":
        return plain("text/vtt", webVtt(transcript.passages));
    }
  }

  refuse = refuse;

  breakOff(error: ProtocolError): readonly Message[] {
    return [`data: ${JSON.stringify(errorBody(error))}\n\n`];
  }

  /** Returns what has not been streamed. */
  #stream(): readonly Message[] {
    const delta = this.#unsent;
    this.#unsent = "";
    return delta === "" ? this.#open() : [...this.#open(), event({ type: "transcript.text.delta", delta })];
  }

  #open(): readonly Message[] {
    if (this.#isOpen) return [];
    this.#isOpen = true;
    const headers = { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-store" };
    return [answerHead({ status: 200, headers, streamed: true })];
  }

  #verbose(transcript: Transcript, text: string): Verbose {
    const { granularities, language } = this.#asked;
    const { passages, seconds } = transcript;
    const wantsWords = granularities.has("word");
    const words = passages.flatMap((passage) => passage.words.map(({ word, start, end }) => ({ word, start, end })));
    const isSegmented = granularities.size === 0 || granularities.has("segment");
    return {
      task: "transcribe",
      language: transcript.language ?? language ?? UNKNOWN,
      duration: seconds,
      text,
      ...(isSegmented && { segments: passages.map((passage, id) => this.#segment(passage, id)) }),
      ...(wantsWords && { words }),
      usage: { type: "duration", seconds },
    };
  }

  #segment({ start, end, text, confidence, others }: Passage, id: number): Segment {
    return {
      id,
      seek: 0,
      start,
      end,
      text,
      tokens: [],
      temperature: this.#asked.temperature,
      avg_logprob: Math.log(Math.max(LEAST_CONFIDENCE, confidence)),
      ...UNMEASURED,
      ...(this.#extras && Object.keys(others).length > 0 && { streamer: { ...others } }),
    };
  }
}

function plain(type: string, body: string): readonly Message[] {
  return answerMessages({ status: 200, headers: { "content-type": `${type}; charset=utf-8` }, body });
}

function event(event: StreamEvent): Message {
  return `data: ${JSON.stringify(event)}\n\n`;
}
