import { isIP, isIPv6 } from "node:net";

import { canonicalAddress, isLoopbackAddress } from "./ip-address.ts";

/** An address in brackets, or characters that separate no part of a URL. */
const HOST = /^(?:\[[0-9A-Fa-f:.]+\]|[^\s/?#@\\:%[\]]+)$/;
const LABELS = /^[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_][a-z0-9_-]{0,62})*$/;
const MAX_CHARACTERS = 253;

/**
 * Returns a host, as it stands in a URL, in the form in which hosts are compared: lower case, in ASCII, without brackets
 * and without the dot of the root. Addresses are canonical, also those that browsers read as one, such as `0x7f.1`.
 * Undefined: the text is no host.
 */
export function canonicalHost(text: string): string | undefined {
  if (!HOST.test(text)) return undefined;
  const host = URL.parse(`http://${text}/`)?.hostname.replace(/^\[|\]$/g, "");
  if (host === undefined) return undefined;
  const address = canonicalAddress(host);
  if (address !== undefined) return address;
  const name = host.endsWith(".") ? host.slice(0, -1) : host;
  return name.length <= MAX_CHARACTERS && LABELS.test(name) ? name : undefined;
}

/** Adds the brackets to an IPv6 address that stands alone. */
export function inBrackets(host: string): string {
  return isIPv6(host) ? `[${host}]` : host;
}

/** A host and a port, each as it stands in a URL. */
export interface HostAndPort {
  /** In canonical form. */
  readonly host: string;
  /** Empty: the default of the scheme. */
  readonly port: string;
}

/** Parses `HOST` or `HOST:PORT`. Undefined: the text is neither; it may not have user information. */
export function parseHostAndPort(text: string): HostAndPort | undefined {
  const [, written = "", port = ""] = /^(\[[^\]]*\]|[^:]*)(?::(\d{0,5}))?$/.exec(text) ?? [];
  const host = canonicalHost(written);
  return host === undefined || Number(port) > 65_535 ? undefined : { host, port };
}

/** The host and the port as they stand in a URL. */
export function formatHost({ host, port }: HostAndPort): string {
  return `${inBrackets(host)}${port === "" ? "" : `:${port}`}`;
}

/** @param host in canonical form */
export function isAddress(host: string): boolean {
  return isIP(host) !== 0;
}

/** Returns true for a name or an address of the machine itself. @param host in canonical form */
export function isLoopbackHost(host: string): boolean {
  return host === "localhost" || host.endsWith(".localhost") || isLoopbackAddress(host);
}
