import type { Outcome } from "../../../model/job.ts";

/** `note`: worth knowing, and no mistake. */
export type Verdict = "ok" | "note" | "FAIL";

/** One line of the report. */
export interface Finding {
  readonly verdict: Verdict;
  /** What was looked at, in a word or two. */
  readonly what: string;
  readonly words: string;
}

export type Report = (verdict: Verdict, what: string, words: string) => void;

export type Answered = Extract<Outcome, { status: "ok" }>;

/** How far numbers of two answers may be apart, relative to the larger, to count as close. */
const CLOSE = 1e-3;

/** Same: to the last bit. Close: but for the rounding of numbers. */
export type Likeness = "same" | "close" | "different";

export function likeness(a: unknown, b: unknown): Likeness {
  if (Object.is(a, b)) return "same";
  if (typeof a === "number" && typeof b === "number") {
    return Math.abs(a - b) <= CLOSE * Math.max(Math.abs(a), Math.abs(b), CLOSE) ? "close" : "different";
  }
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return "different";
  const [ofA, ofB] = [Object.entries(a), Object.entries(b)];
  if (ofA.length !== ofB.length) return "different";
  let least: Likeness = "same";
  for (const [key, value] of ofA) {
    const found = Object.hasOwn(b, key) ? likeness(value, (b as Record<string, unknown>)[key]) : "different";
    if (found === "different") return found;
    if (found === "close") least = found;
  }
  return least;
}

/** What a model answered, without how long it took. */
export function content({ output, audio }: Answered): unknown {
  return audio === undefined ? { output } : { output, audio: { ...audio } };
}

/** An answer for a person: its fields as JSON, cut where it is long, and its sound by length. */
export function shownAnswer({ output, audio }: Answered): string {
  const json = JSON.stringify(output ?? {});
  const fields = json.length > 100 ? `${json.slice(0, 100)}... (${json.length} characters)` : json;
  if (audio === undefined) return fields;
  return `${fields} and ${audio.samples.length} samples of sound at ${audio.sampleRate} Hz`;
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}

/** Three digits that count. */
export function rounded(value: number): string {
  return String(Number(value.toPrecision(3)));
}
