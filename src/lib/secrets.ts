/** Stands in place of a secret. */
export const REDACTED = "[redacted]";

const SECRET_NAME = /authorization|cookie|passw|secret|ticket|token|api[_-]?key/i;
/**
 * `token=x`, `"ticket": "x"`, `Authorization: Basic x`, `Bearer x`, as in headers, queries and JSON, the subprotocol
 * `ticket.x`, and a token of this program (see `auth/token.ts`) anywhere. Group 1 precedes the secret.
 */
const SECRET_TEXT =
  /((?:authorization|password|secret|ticket|token|api[_-]?key)["']?\s{0,9}[=:]\s{0,9}["']?(?:bearer\s|basic\s)?|\bbearer\s|\bticket\.(?=[\w-]{16})|\b(?=strm_[\w-]{16}))[\w.~+/=%-]+/gi;

/** Returns true when a field of this name holds a secret. */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name);
}

/** User name and password in a URL. Group 1 precedes them. */
const USER_INFORMATION = /(\b[a-z][a-z0-9+.-]{0,31}:\/\/)[^\s/@]{1,4096}@/gi;

/**
 * Returns the value of a setting as it may be shown: a text whose name tells that it is a secret is redacted, unless it
 * names a file, and so are users and passwords in URLs.
 */
export function hideSecret(name: string, value: unknown): unknown {
  if (typeof value !== "string" || value === "") return value;
  if (isSecretName(name) && !name.endsWith("_file")) return REDACTED;
  return value.replace(USER_INFORMATION, `$1${REDACTED}@`);
}

/**
 * Redacts tokens, passwords and tickets that follow a telling name or begin with one. Takes time linear in the length of
 * the text.
 */
export function redactSecrets(text: string): string {
  return text.replace(SECRET_TEXT, (_, prefix: string) => `${prefix}${REDACTED}`);
}
