import type { SpokenWord } from "../words.ts";
import type { Plain, SpeechResult } from "./api.ts";

/** What is said of interims: nobody can tell. */
const STABILITY = 0.5;
const NANOS = 1e9;

/** Returns a `google.protobuf.Duration`. */
export function durationOf(seconds: number): Plain {
  const nanos = Math.round(seconds * NANOS);
  return { seconds: Math.floor(nanos / NANOS), nanos: nanos % NANOS };
}

/** Returns the fields that a result has in every API. @param word returns the message of a word */
export function resultFields(
  { text, confidence, words, channel }: SpeechResult,
  word: (word: SpokenWord) => Plain,
  more: Plain = {},
): Plain {
  return {
    alternatives: [{ transcript: text, confidence, words: words.map(word), ...more }],
    // They count from 1.
    channel_tag: channel + 1,
  };
}

/** Returns the fields that only results of a stream have, in every API. */
export function streamedFields({ isFinal }: SpeechResult): Plain {
  return isFinal ? { is_final: true } : { is_final: false, stability: STABILITY };
}

/** Clients join the texts of a file as they are: a blank is put between them. */
export function separated(results: readonly SpeechResult[]): SpeechResult[] {
  return results.map((result, n) => (n === results.length - 1 ? result : { ...result, text: `${result.text} ` }));
}
