import { excerpt } from "../../lib/excerpt.ts";

/** Longest text of an engine in a message. */
const MAX_CHARACTERS = 200;

/** Where an exception of a model in Python was raised, as Triton appends it: files and lines. */
const PLACES = /\s+At:\n\s[\s\S]*$/;

/**
 * Returns what an engine says about a failure, for operators and clients: at most 200 characters, without the paths that
 * a traceback of Python has.
 */
export function engineWords(text: string): string {
  const words = text.trim();
  const isTraceback = words.startsWith("Traceback (most recent call last)");
  const reason = isTraceback ? words.slice(words.lastIndexOf("\n") + 1) : words.replace(PLACES, "");
  return excerpt(reason, MAX_CHARACTERS);
}
