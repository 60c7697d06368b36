import * as v from "valibot";

import { RESERVED_FIELDS, type ServerEvent } from "../protocol/events.ts";
import { time } from "../protocol/field.ts";

/** A word on the clock of the stream, in seconds. */
export interface SpokenWord {
  readonly word: string;
  readonly start: number;
  readonly end: number;
  /** 0 to 1. */
  readonly confidence: number;
}

/** The output of a model as a recogniser's result. */
export interface Spoken {
  readonly text: string;
  /** The model's own, or estimated, in the order of time. None for an empty text. */
  readonly words: readonly SpokenWord[];
  /** 0 to 1: the model's own, or the mean of its words', or 1, which passes every threshold. */
  readonly confidence: number;
  /** Undefined: the model has not said. */
  readonly language: string | undefined;
  /** The other fields of the output. */
  readonly others: Readonly<Record<string, unknown>>;
}

/** The span of a result, seconds. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** Times are rounded to microseconds. */
const ROUNDING = 1e6;

/** Returns seconds rounded to microseconds. */
export function roundSeconds(seconds: number): number {
  return Math.round(seconds * ROUNDING) / ROUNDING;
}

const probability = v.pipe(v.number(), v.minValue(0), v.maxValue(1));
/** Words of the convention for recognisers (`docs/protocol.md`). Their times have been moved to the stream's clock. */
const wordsSchema = v.array(
  v.pipe(
    v.object({ word: v.string(), start: time(), end: time(), confidence: v.optional(v.unknown()) }),
    v.check(({ start, end }) => start <= end),
  ),
);

/** Fields of an output that belong to a recogniser's result. */
const RECOGNISED: readonly string[] = ["text", "words", "confidence", "language"];

/**
 * Reads the output of a model in a `segment` or `data`. What is malformed counts as absent. Returns undefined when there
 * is nothing to report: the model has returned only audio.
 * @param untexted the text of an output without `text`: its fields as `name=value`, or nothing
 */
export function spokenOf(
  event: Extract<ServerEvent, { type: "segment" | "data" }>,
  span: Span,
  untexted: "fields" | "empty",
): Spoken | undefined {
  const fields = Object.fromEntries(Object.entries(event).filter(([name]) => !RESERVED_FIELDS.includes(name)));
  if (Object.keys(fields).length === 0) return undefined;
  const given = fields["text"];
  if (typeof given !== "string") {
    const text = untexted === "fields" ? fieldsAsText(fields) : "";
    return { text, words: estimateWords(text, span, 1), confidence: 1, language: undefined, others: fields };
  }
  const text = given.trim();
  const own = wordsIn(fields["words"], text);
  const confidence = probabilityOf(fields["confidence"]) ?? meanConfidence(own) ?? 1;
  const words = own?.map((word) => ({ ...word, confidence: word.confidence ?? confidence }));
  const others = Object.fromEntries(Object.entries(fields).filter(([name]) => !RECOGNISED.includes(name)));
  const language = fields["language"];
  return {
    text,
    words: words ?? estimateWords(text, span, confidence),
    confidence,
    language: typeof language === "string" && language !== "" ? language : undefined,
    others,
  };
}

/** Distributes a span over the words of a text by their share of its characters. An estimate. */
export function estimateWords(text: string, { start, end }: Span, confidence: number): SpokenWord[] {
  const words = text.split(/\s+/).filter(Boolean);
  const total = words.reduce((sum, { length }) => sum + length, 0);
  const at = (characters: number): number => roundSeconds(start + ((end - start) * characters) / total);
  let before = 0;
  return words.map((word) => {
    const from = before;
    before += word.length;
    return { word, start: at(from), end: at(before), confidence };
  });
}

function fieldsAsText(fields: Readonly<Record<string, unknown>>): string {
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    .join(" ");
}

type OwnWord = Omit<SpokenWord, "confidence"> & { readonly confidence: number | undefined };

/**
 * Returns the words that the model has found, in the order of time. Undefined: they are malformed, or there are none
 * although there is a text.
 */
function wordsIn(value: unknown, text: string): OwnWord[] | undefined {
  const result = v.safeParse(wordsSchema, value);
  if (!result.success) return undefined;
  const words = result.output
    .map(({ word, confidence, ...times }) => ({ word: word.trim(), ...times, confidence: probabilityOf(confidence) }))
    .filter(({ word }) => word !== "");
  // Clients take the first one for the beginning of the utterance, and the last one for its end.
  return words.length === 0 && text !== "" ? undefined : words.sort((a, b) => a.start - b.start);
}

function probabilityOf(value: unknown): number | undefined {
  return v.is(probability, value) ? value : undefined;
}

function meanConfidence(words: readonly OwnWord[] | undefined): number | undefined {
  const known = (words ?? []).flatMap(({ confidence }) => (confidence === undefined ? [] : [confidence]));
  return known.length === 0 ? undefined : known.reduce((sum, each) => sum + each, 0) / known.length;
}
