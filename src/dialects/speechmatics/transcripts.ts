import { roundSeconds, type Span, type Spoken } from "../words.ts";
import type { AddPartialTranscript, AddTranscript, EndOfUtterance } from "./messages.ts";

/** Clients write one transcript behind the other. */
export const WORD_DELIMITER = " ";

/** Where a transcript belongs, and what goes with it. */
export interface TranscriptPlace {
  readonly span: Span;
  /** Undefined: the audio has one channel. */
  readonly channel: string | undefined;
  /** Language that the client has named, for words of which the model does not say it. */
  readonly language: string | undefined;
  /** The model's other fields are sent, too. */
  readonly extras: boolean;
}

export function transcriptMessage<Name extends "AddTranscript" | "AddPartialTranscript">(
  message: Name,
  { text, words, language: own, others }: Spoken,
  { span, channel, language = own, extras }: TranscriptPlace,
): Omit<AddTranscript | AddPartialTranscript, "message"> & { message: Name } {
  const spoken = own ?? language;
  const results = words.map(({ word, start, end, confidence }) => ({
    type: "word" as const,
    start_time: roundSeconds(start),
    end_time: roundSeconds(end),
    alternatives: [
      { content: word, confidence, ...(spoken !== undefined && { language: spoken }), speaker: "UU" as const },
    ],
  }));
  return {
    message,
    format: "2.9",
    metadata: {
      start_time: roundSeconds(span.start),
      end_time: roundSeconds(span.end),
      transcript: text === "" ? "" : text + WORD_DELIMITER,
    },
    results,
    ...(channel !== undefined && { channel }),
    ...(extras && Object.keys(others).length > 0 && { streamer: others }),
  };
}

/** @param time in seconds @param channel undefined: the audio has one */
export function endOfUtterance(time: number, channel: string | undefined): EndOfUtterance {
  const at = roundSeconds(time);
  const metadata = { start_time: at, end_time: at };
  return { message: "EndOfUtterance", metadata, ...(channel !== undefined && { channel }) };
}
