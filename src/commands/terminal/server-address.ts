import { isIPv6 } from "node:net";

import { DEFAULT_PORT } from "../../config/server-address.ts";
import { invalidValue } from "./flags.ts";

/** What all routes of a server begin with. */
const API = "/api/v1/";

/** True for the schemes with TLS. */
const SCHEMES: Readonly<Record<string, boolean>> = { http: false, ws: false, https: true, wss: true };

const ALLOWED = "HOST:PORT, or a URL that begins with http://, https://, ws:// or wss://";

/** The address of a server, as one may be typed: the same for WebSockets and for HTTP. */
export interface ServerAddress {
  readonly isSecure: boolean;
  /** Host and port as in a URL: an IPv6 address in brackets, no port if it is the one of the scheme. */
  readonly host: string;
  /** Starts with a slash; undefined: none was given. */
  readonly path: string | undefined;
  /** Starts with a question mark, or is empty. */
  readonly query: string;
  /** `USER:PASSWORD@` or empty, as in a URL. */
  readonly credentials: string;
}

/**
 * Parses the address of a server: `HOST`, `HOST:PORT`, or a URL of HTTP or WebSocket, with or without a path. The port
 * is `defaultPort`, or that of the scheme if there is one. Throws UsageError, which names the flag.
 * @param defaultPort default 8080
 */
export function parseServerAddress(flag: string, text: string, defaultPort = DEFAULT_PORT): ServerAddress {
  const [, scheme] = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text) ?? [];
  const isSecure = scheme === undefined ? false : SCHEMES[scheme.toLowerCase()];
  if (isSecure === undefined) throw invalidValue(flag, text, ALLOWED);
  const url = URL.parse(scheme === undefined ? `http://${withPort(text, defaultPort)}` : text);
  // A number alone is an IPv4 address to a URL, but was meant as a port.
  if (url === null || /^\d+$/.test(text)) throw invalidValue(flag, text, ALLOWED);
  if (url.hash !== "") throw invalidValue(flag, text, `${ALLOWED}, without #fragment`);
  return {
    isSecure,
    host: url.host,
    path: /^\/+$/.test(url.pathname) ? undefined : url.pathname,
    query: url.search,
    credentials: url.username === "" ? "" : `${url.username}:${url.password}@`,
  };
}

/** Returns the URL of a stream on the server: with the path of the address, or that of `pattern` without one. */
export function streamUrl({ isSecure, credentials, host, path, query }: ServerAddress, pattern: string): URL {
  return new URL(`${isSecure ? "wss" : "ws"}://${credentials}${host}${path ?? API + pattern}${query}`);
}

/** Returns the URL of an HTTP route of the server, such as `health`. A path in front of `/api/v1/` stays. */
export function routeUrl({ isSecure, credentials, host, path = "" }: ServerAddress, route: string): URL {
  const before = `${path}/`.split(API, 1)[0]?.replace(/\/+$/, "") ?? "";
  return new URL(`${isSecure ? "https" : "http"}://${credentials}${host}${before}${API}${route}`);
}

/** Returns a URL for messages: without credentials and query, which may have secrets. */
export function printableUrl({ protocol, host, pathname }: URL): string {
  return `${protocol}//${host}${pathname}`;
}

/** Adds the default port to an address without scheme, and the brackets to an IPv6 address. */
function withPort(text: string, defaultPort: number): string {
  if (isIPv6(text)) return `[${text}]:${defaultPort}`;
  const [, host = "", port, rest = ""] = /^([^/?#]*?)(:\d*)?([/?#].*)?$/s.exec(text) ?? [];
  // An empty port is not one: `http:/host` is a mistyped scheme.
  if (port === ":") return "";
  return `${host}${port ?? `:${defaultPort}`}${rest}`;
}
