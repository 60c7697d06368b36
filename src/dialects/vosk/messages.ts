import * as v from "valibot";

import type { Spoken } from "../words.ts";

/*
 * The JSON messages of vosk-server. Times are seconds from the first sample of the stream.
 */

/** Schema of what a client sends. Fields that are not known are ignored. */
export const controlSchema = v.looseObject({
  config: v.optional(
    v.looseObject({
      sample_rate: v.optional(v.number("a number")),
      words: v.optional(v.unknown()),
      max_alternatives: v.optional(v.unknown()),
      phrase_list: v.optional(v.unknown()),
      model: v.optional(v.unknown()),
    }),
  ),
  eof: v.optional(v.unknown()),
  reset: v.optional(v.unknown()),
});
export type Control = v.InferOutput<typeof controlSchema>;

const wordSchema = v.object({ conf: v.number(), start: v.number(), end: v.number(), word: v.string() });

/** Schemas of what the server sends: one message for each of the client's audio. */
export const serverMessageSchema = v.union([
  v.strictObject({ partial: v.string() }),
  v.strictObject({ text: v.string(), result: v.optional(v.array(wordSchema)) }),
  v.strictObject({ alternatives: v.array(v.strictObject({ text: v.string(), confidence: v.number() })) }),
]);
export type ServerMessage = v.InferOutput<typeof serverMessageSchema>;

/** How results are written, as the client's `config` asks for it. */
export interface ResultShape {
  readonly hasWords: boolean;
  /** Other hypotheses were asked for: there is one, in a list. */
  readonly hasAlternatives: boolean;
}

/** Writes several results as one: texts joined, words in order. */
export function writeResult(spoken: readonly Spoken[], { hasWords, hasAlternatives }: ResultShape): ServerMessage {
  const told = spoken.filter(({ text }) => text !== "");
  const text = told.map((each) => each.text).join(" ");
  const least = Math.min(1, ...told.map(({ confidence }) => confidence));
  if (hasAlternatives) return { alternatives: [{ text, confidence: least }] };
  const result = told.flatMap(({ words }) =>
    words.map(({ word, start, end, confidence }) => ({ conf: confidence, start, end, word })),
  );
  return hasWords && result.length > 0 ? { text, result } : { text };
}
