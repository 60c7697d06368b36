import { isIPv6 } from "node:net";

import { describeValue } from "../lib/excerpt.ts";
import { parseScalar, readSources } from "./sources.ts";

/** The default of `server.host`. */
export const DEFAULT_HOST = "127.0.0.1";
/** The default of `server.port`. */
export const DEFAULT_PORT = 8_080;

/** Addresses that mean "every address of this machine", and the loopback address to reach them at. */
const UNSPECIFIED: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "[::]": "[::1]" };

/**
 * Returns `http://HOST:PORT` or `https://HOST:PORT` of the server that the variables of the environment configure, for a client on this machine.
 * Other settings are not read and not checked. Throws an Error if no server listens there.
 */
export function addressFromEnvironment(env: Readonly<Record<string, string | undefined>>): string {
  let host = DEFAULT_HOST;
  let port = DEFAULT_PORT;
  let scheme = "http";
  for (const given of readSources({ env }, [])) {
    const key = given.path.join(".");
    const value = parseScalar(given);
    const refuse = (allowed: string) => {
      throw new Error(`${given.source}: found ${describeValue(value)}; allowed: ${allowed}`);
    };
    if (key === "server.host") host = hostOf(String(value)) ?? refuse("a host name or an IP address");
    if (key === "server.tls_cert") scheme = value === "none" ? "http" : "https";
    if (key === "server.port") port = portOf(value) ?? refuse("a whole number from 1 to 65535");
  }
  return `${scheme}://${UNSPECIFIED[host] ?? host}:${port}`;
}

/** Removes the brackets that an IPv6 address has in a URL. */
export function withoutBrackets(host: string): string {
  return /^\[.*:.*\]$/.test(host) ? host.slice(1, -1) : host;
}

/** Returns a host as it is written in a URL; undefined if it is not one. */
function hostOf(text: string): string | undefined {
  return URL.parse(`http://${isIPv6(text) ? `[${text}]` : text}/`)?.hostname;
}

function portOf(value: unknown): number | undefined {
  const port = Number(value);
  return Number.isInteger(port) && port >= 1 && port <= 65_535 ? port : undefined;
}
