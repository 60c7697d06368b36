import { formatHost, parseHostAndPort } from "../lib/host-name.ts";
import { matchesHost, parseHostPattern } from "./host-pattern.ts";
import type { TextFormat } from "./setting.ts";

/** An origin of web pages, as browsers send it. */
export interface Origin {
  /** Without the colon, such as `https`. */
  readonly scheme: string;
  /** In canonical form; empty for files. */
  readonly host: string;
  /** Empty: the default of the scheme. */
  readonly port: string;
}

/** The origin of pages that have none: files, and frames in a sandbox. */
const NULL = "null";
const ANY = "*";
const WEB = ["http", "https"];
const DEFAULT_PORTS: Readonly<Record<string, string>> = { http: "80", https: "443" };
const FILE: Origin = { scheme: "file", host: "", port: "" };

export const ORIGIN_FORMAT: TextFormat = {
  allowed: "origins such as https://app.example or https://*.example, host names, null, or * for all",
  pattern: "^(?:\\*|(?:[A-Za-z][A-Za-z0-9+.-]*://)?[^\\s?#@\\\\%]*)$",
  isExact: false,
  accepts: (text) => parseOriginPattern(text) !== undefined,
};

/** Parses an `Origin` header. Undefined: it is `null`, or no origin. */
export function parseOrigin(text: string): Origin | undefined {
  const [, written = "", rest = ""] = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/i.exec(text) ?? [];
  const scheme = written.toLowerCase();
  if (scheme === FILE.scheme && rest === "") return FILE;
  const place = parseHostAndPort(rest);
  return place && { scheme, host: place.host, port: place.port === DEFAULT_PORTS[scheme] ? "" : place.port };
}

/**
 * Returns an origin pattern in canonical form: an origin, whose host may be a host pattern; a host pattern alone, for
 * `http` and `https` with any port; `null`; `*` for all. Undefined: the text is none.
 */
export function parseOriginPattern(text: string): string | undefined {
  if (text === ANY || text === NULL) return text;
  // A slash at the end comes from the address bar.
  const [, scheme, wildcard = "", rest = ""] = /^([a-z][a-z0-9+.-]*:\/\/)(\*\.)?(.*?)\/?$/i.exec(text) ?? [];
  if (scheme === undefined) return parseHostPattern(text);
  const origin = parseOrigin(`${scheme}${rest}`);
  if (origin === undefined || (wildcard !== "" && origin.host === "")) return undefined;
  return `${origin.scheme}://${wildcard}${formatHost(origin)}`;
}

/** Spells an origin pattern in canonical form. Returns other texts unchanged. */
export function spellOrigin(text: string): string {
  return parseOriginPattern(text) ?? text;
}

/**
 * Returns true if an `Origin` header matches a pattern. `null` and headers that are no origin match only themselves, or
 * `*`.
 * @param pattern in canonical form
 */
export function matchesOrigin(pattern: string, header: string): boolean {
  if (pattern === ANY) return true;
  if (pattern === NULL || header === NULL) return pattern === header;
  const origin = parseOrigin(header);
  if (origin === undefined) return false;
  const [scheme, place] = pattern.split("://");
  if (place === undefined) return WEB.includes(origin.scheme) && matchesHost(pattern, origin.host);
  const [, host = "", port = ""] = /^(\[.*\]|[^:]*)(?::(\d+))?$/.exec(place) ?? [];
  return origin.scheme === scheme && origin.port === port && matchesHost(host.replace(/^\[|\]$/g, ""), origin.host);
}
