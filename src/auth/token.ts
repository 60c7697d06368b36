import { createHash, randomBytes } from "node:crypto";

/** What every token begins with, so that people and scanners for secrets recognise one. */
const TOKEN_PREFIX = "strm_";

const RANDOM_BYTES = 32;
/** Text in which a token of this program may stand. */
const TOKEN = /strm_[A-Za-z0-9_-]{16,}/;

/** Returns a new token: 256 random bits, base64url, after TOKEN_PREFIX. */
export function newToken(): string {
  return TOKEN_PREFIX + randomBytes(RANDOM_BYTES).toString("base64url");
}

/** Returns the SHA-256 of a token, 32 bytes. Any text may be a token. */
export function hashToken(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}

/** Returns true for text that has a token of this program in it, and must not be shown. */
export function hasToken(text: string): boolean {
  return TOKEN.test(text);
}
