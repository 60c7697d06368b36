/**
 * Control characters, and those that a terminal or a browser obeys instead of showing: C1, line and paragraph
 * separators, direction overrides, zero-width and byte-order marks.
 */
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/**
 * Foreign text, safe to put into a message or a log line: at most `limit` characters of it, whole code points,
 * with `\uXXXX` in place of unprintable ones. A cut is marked by an ellipsis.
 */
export function excerpt(text: string, limit = 64): string {
  const cut = text.length > limit ? `${text.slice(0, limit)}…` : text;
  return cut.toWellFormed().replace(UNPRINTABLE, escapeCharacter);
}

function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** A foreign value in words, for "found ...": scalars as JSON writes them, everything else by its kind. */
export function shown(value: unknown): string {
  if (typeof value === "string") return `"${excerpt(value)}"`;
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object" && value !== null) return "an object";
  return excerpt(String(value));
}
