import { canonicalHost, inBrackets } from "../lib/host-name.ts";
import type { TextFormat } from "./setting.ts";

/** The pattern that every host matches. */
export const ANY_HOST = "*";
const WILDCARD = "*.";

export const HOST_FORMAT: TextFormat = {
  allowed: "host names without a port, such as streamer.example or *.example, or * for all",
  pattern: "^(?:\\*|(?:\\*\\.)?(?:\\[[0-9A-Fa-f:.]+\\]|[^\\s/?#@\\\\%\\[\\]]+))$",
  isExact: false,
  accepts: (text) => parseHostPattern(text) !== undefined,
};

/**
 * Returns a host pattern in canonical form: a host name or address; `*.NAME` for the names below one; `*` for all.
 * Undefined: the text is none.
 */
export function parseHostPattern(text: string): string | undefined {
  if (text === ANY_HOST) return ANY_HOST;
  if (!text.startsWith(WILDCARD)) return canonicalHost(inBrackets(text));
  const name = canonicalHost(text.slice(WILDCARD.length));
  return name === undefined ? undefined : WILDCARD + name;
}

/** Spells a host pattern in canonical form. Returns other texts unchanged. */
export function spellHost(text: string): string {
  return parseHostPattern(text) ?? text;
}

/** @param pattern in canonical form; @param host in canonical form */
export function matchesHost(pattern: string, host: string): boolean {
  if (pattern === ANY_HOST || pattern === host) return true;
  return pattern.startsWith(WILDCARD) && host.endsWith(pattern.slice(1));
}
