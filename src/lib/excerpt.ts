/** Control and format characters and separators of lines: what a terminal or a browser obeys instead of showing. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/**
 * Foreign text, safe to put into a message or a log line: at most `limit` characters of it, with `\u{X}` in place of
 * unprintable ones and a replacement character for half a surrogate pair. A cut is marked by an ellipsis.
 */
export function excerpt(text: string, limit = 64): string {
  const cut = text.length > limit ? `${text.slice(0, limit)}…` : text;
  return cut.toWellFormed().replace(UNPRINTABLE, escapeCharacter);
}

function escapeCharacter(character: string): string {
  return `\\u{${character.codePointAt(0)?.toString(16)}}`;
}

/** A foreign value in words, for "found ...": scalars as JSON writes them, everything else by its kind. */
export function shown(value: unknown): string {
  if (typeof value === "string") return `"${excerpt(value)}"`;
  if (typeof value === "number" || typeof value === "boolean") return `${value}`;
  if (value === null) return "null";
  if (value === undefined) return "nothing";
  return Array.isArray(value) ? "an array" : `${typeof value === "object" ? "an" : "a"} ${typeof value}`;
}
