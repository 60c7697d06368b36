/** Stands where a secret was. */
export const REDACTED = "[redacted]";

const SECRET_NAME = /authorization|cookie|passw|secret|ticket|token|api[_-]?key/i;
/** `token=x`, `"ticket": "x"`, `Authorization: Basic x`, `Bearer x`, as in headers, queries and JSON; group 1 may stay. */
const SECRET_TEXT =
  /((?:authorization|password|secret|ticket|token|api[_-]?key)["']?\s{0,9}[=:]\s{0,9}["']?(?:bearer\s|basic\s)?|\bbearer\s)[\w.~+/=%-]+/gi;

/** Whether a field of this name holds what no log may show. */
export function isSecret(name: string): boolean {
  return SECRET_NAME.test(name);
}

/** The text with tokens, passwords and tickets replaced, as far as what stands before them tells. Linear in its length. */
export function withoutSecrets(text: string): string {
  return text.replace(SECRET_TEXT, (_, kept: string) => `${kept}${REDACTED}`);
}
