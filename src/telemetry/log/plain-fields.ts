import { excerpt } from "../../lib/excerpt.ts";
import { isSecretName, REDACTED, redactSecrets } from "../../lib/secrets.ts";

/** Longest string, in characters; longer ones are cut. Most long strings in a log come from outside. */
const TEXT_LENGTH = 1_024;
/** Longest stack, in characters. */
const STACK_LENGTH = 8_192;
const MAX_DEPTH = 4;
/** Most items of one array, or entries of one object. */
const MAX_ITEMS = 64;

/**
 * Converts the fields of a log record to values that JSON can represent, whatever they hold: cut, escaped, without
 * cycles and secrets. Never throws.
 */
export function plainFields(fields: object): Record<string, unknown> {
  return plainObject(fields, 0);
}

function plainValue(value: unknown, depth: number): unknown {
  if (typeof value === "string") return plainText(value);
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (typeof value === "bigint" || typeof value === "symbol") return value.toString();
  if (typeof value === "function") return "function";
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Error) return plainError(value, depth);
  if (depth >= MAX_DEPTH) return Array.isArray(value) ? "[...]" : "{...}";
  if (ArrayBuffer.isView(value)) return `${value.constructor.name}(${value.byteLength} bytes)`;
  if (Array.isArray(value)) return value.slice(0, MAX_ITEMS).map((item) => plainValue(item, depth + 1));
  return plainObject(value, depth + 1);
}

function plainObject(fields: object, depth: number): Record<string, unknown> {
  const entries = Object.entries(fields).slice(0, MAX_ITEMS);
  return Object.fromEntries(
    entries.map(([key, value]) => {
      if (isSecretName(key)) return [excerpt(key), REDACTED];
      return [
        excerpt(key),
        key === "stack" && typeof value === "string" ? plainStack(value) : plainValue(value, depth),
      ];
    }),
  );
}

/** Cuts before it redacts, so that the cost is bounded. */
function plainText(value: string): string {
  const cut = value.slice(0, TEXT_LENGTH);
  // Redaction can lengthen a text.
  const shown = excerpt(redactSecrets(cut), 2 * TEXT_LENGTH);
  return cut.length < value.length ? `${shown}…` : shown;
}

function plainError(error: Error, depth: number): Record<string, unknown> {
  return {
    name: excerpt(error.name),
    message: plainText(error.message),
    stack: plainStack(error.stack ?? ""),
    ...(error.cause !== undefined && depth < MAX_DEPTH && { cause: plainValue(error.cause, depth + 1) }),
  };
}

/** Keeps line feeds: they are the layout of a stack, and JSON escapes them. */
function plainStack(stack: string): string {
  return stack.slice(0, STACK_LENGTH).split("\n").map(plainText).join("\n");
}
