import { excerpt } from "../../../lib/excerpt.ts";
import type { ReportFinding } from "./finding.ts";
import { hasContent, type Result } from "./result.ts";

const ASK = "run the checks with --input FILE, a WAV file with speech, to see its words";
/** Characters of a text that are printed. */
const MAX_TEXT = 1000;
/** Rounding of times, seconds. */
const TOLERANCE = 0.01;

/** Returns whether results have the text of a recogniser. */
export function isRecogniser(results: readonly Result[]): boolean {
  return results.some(({ output }) => typeof output?.["text"] === "string");
}

/**
 * Reports what a recogniser has understood. A synthetic signal is no speech, so that one that is silent about it has been
 * checked in little.
 * @param seconds of audio
 * @param isRecording the audio is a recording
 */
export function reportWords(
  results: readonly Result[],
  seconds: number,
  isRecording: boolean,
  report: ReportFinding,
): void {
  if (!results.some(hasContent)) {
    const signal = isRecording ? "in this recording" : "for the synthetic signal, which is no speech";
    return report("note", "words", `the model has no result ${signal}${isRecording ? "" : `; ${ASK}`}`);
  }
  if (!isRecogniser(results)) return;
  const texts = results.flatMap(({ output }) => (typeof output?.["text"] === "string" ? output["text"].trim() : ""));
  const text = texts.filter((part) => part !== "").join(" ");
  if (text === "" && isRecording) report("note", "words", "none in this recording");
  else if (text === "") {
    const little = "the other checks compare empty texts";
    report("note", "words", `none, because the synthetic signal is no speech, and ${little}; ${ASK}`);
  } else report("ok", "words", `"${excerpt(text, MAX_TEXT)}"${isRecording ? "" : `, for a synthetic signal; ${ASK}`}`);
  const timed = results.filter(({ output }) => output?.["words"] !== undefined);
  if (timed.length === 0) return;
  const problem = timed
    .map(({ output }) => findWordProblem(output?.["words"], seconds))
    .find((found) => found !== undefined);
  const count = timed.reduce((sum, { output }) => sum + Number((output?.["words"] as unknown[]).length ?? 0), 0);
  if (problem === undefined) report("ok", "word times", `${count} ${count === 1 ? "word" : "words"} with times`);
  else report("note", "word times", `${problem}; by convention "words" is a list of {word, start, end, confidence?}`);
}

/** Returns what is not as the convention has it. Times are seconds from the start of the audio. */
function findWordProblem(words: unknown, seconds: number): string | undefined {
  if (!Array.isArray(words)) return `"words" is no list`;
  for (const [i, word] of (words as unknown[]).entries()) {
    const { word: text, start, end } = Object(word) as Record<string, unknown>;
    if (typeof text !== "string") return `words[${i}].word is no string`;
    if (typeof start !== "number" || typeof end !== "number") return `words[${i}] has no start or no end in seconds`;
    if (!(start >= 0 && start <= end)) return `words[${i}] lasts from ${start} to ${end}`;
    if (end > seconds + TOLERANCE) return `words[${i}] ends at ${end} s, but the audio has ${seconds} s`;
  }
  return undefined;
}
