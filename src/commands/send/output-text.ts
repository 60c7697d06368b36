import { excerpt } from "../../lib/excerpt.ts";
import { RESERVED_FIELDS } from "../../protocol/events.ts";
import { formatNumber } from "../terminal/numbers.ts";

/**
 * Formats what a model returned: first the field `text`, in quotes, and its `language`, then the other fields as
 * `name=value`. `words` with their times are left out beside `text`, and stand for it without one. Unprintable
 * characters are escaped.
 * @param paint colours the words
 */
export function formatOutput(event: object, paint: (words: string) => string = (words) => words): string {
  const fields = new Map(Object.entries(event).filter(([name]) => !RESERVED_FIELDS.includes(name)));
  const words = spokenWords(fields.get("words"));
  const text = typeof fields.get("text") === "string" ? (fields.get("text") as string) : words;
  const parts: string[] = [];
  if (text !== undefined) {
    parts.push(paint(excerpt(`"${text}"`, Infinity)));
    fields.delete("text");
    if (words !== undefined) fields.delete("words");
    const language = fields.get("language");
    if (typeof language === "string" && fields.delete("language")) parts.push(excerpt(`(${language})`, Infinity));
  }
  for (const [name, value] of fields) {
    const shown = typeof value === "number" ? formatNumber(value) : JSON.stringify(value);
    parts.push(excerpt(`${name}=${shown}`, Infinity));
  }
  return parts.join(" ");
}

/** Returns the words of a field `words`, `[{word, start, end}, ...]`, as a text. Undefined for anything else. */
function spokenWords(value: unknown): string | undefined {
  if (!Array.isArray(value)) return undefined;
  const words = value.map((one: unknown) => (one as { word?: unknown } | null)?.word);
  return words.every((word) => typeof word === "string") ? words.map((word) => word.trim()).join(" ") : undefined;
}
