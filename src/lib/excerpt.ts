/**
 * Control and format characters, line and paragraph separators: a terminal or a browser acts on these instead of
 * printing them.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/**
 * Returns text from outside in a form that is safe in a message or a log line: at most `limit` characters (UTF-16) and
 * an ellipsis where it was cut, unprintable characters as `\u{X}`, unpaired surrogates as replacement characters.
 */
export function excerpt(text: string, limit = 64): string {
  const cut = text.length > limit ? `${text.slice(0, limit)}…` : text;
  return cut.toWellFormed().replace(UNPRINTABLE, escapeCharacter);
}

function escapeCharacter(character: string): string {
  return `\\u{${character.codePointAt(0)?.toString(16)}}`;
}

/**
 * Describes a value from outside for a message, after "found": scalars as JSON writes them, other values by their kind.
 */
export function describeValue(value: unknown): string {
  if (typeof value === "string") return `"${excerpt(value)}"`;
  if (typeof value === "number" || typeof value === "boolean") return `${value}`;
  if (value === null) return "null";
  if (value === undefined) return "nothing";
  return Array.isArray(value) ? "an array" : `${typeof value === "object" ? "an" : "a"} ${typeof value}`;
}
