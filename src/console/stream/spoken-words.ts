import * as v from "valibot";

/** Words of the convention for recognisers (`docs/protocol.md`), seconds. */
const wordsSchema = v.array(
  v.looseObject({ word: v.string(), start: v.number(), end: v.number(), confidence: v.optional(v.unknown()) }),
);

/** Returns the words of an output `seconds` later; what has not their form stays as it is. */
export function movedWords(value: unknown, seconds: number): unknown {
  const { success, output } = v.safeParse(wordsSchema, value);
  if (!success) return value;
  return output.map((word) => ({ ...word, start: word.start + seconds, end: word.end + seconds }));
}

/** A word, and where it lies. */
export interface SpokenWord {
  readonly word: string;
  /** Its time, and its confidence if there is one. */
  readonly hint: string;
}

/** Returns the words of an output; undefined: it has none. */
export function spokenWords(value: unknown): SpokenWord[] | undefined {
  const result = v.safeParse(wordsSchema, value);
  if (!result.success || result.output.length === 0) return undefined;
  return result.output.map(({ word, start, end, confidence }) => {
    const sure = typeof confidence === "number" ? `, confidence ${confidence.toFixed(2)}` : "";
    return { word, hint: `${start.toFixed(2)} – ${end.toFixed(2)} s${sure}` };
  });
}
