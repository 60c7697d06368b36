import { describeValue } from "../../lib/excerpt.ts";
import { formatHost, type HostAndPort, parseHostAndPort } from "../../lib/host-name.ts";
import { canonicalAddress } from "../../lib/ip-address.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { type ForwardedElement, parseForwarded } from "./forwarded-elements.ts";

/** What proxies report about the client of a request. */
export interface Reported {
  /** Network address in canonical form; undefined: they do not report it. */
  readonly address?: string | undefined;
  /** What the client asked for. */
  readonly host?: HostAndPort | undefined;
  /** The client's connection is encrypted. */
  readonly tls?: boolean | undefined;
}

export interface ForwardedOptions {
  /** Address of the proxy that sent the request, in canonical form. */
  readonly proxy: string;
  /** Returns true for the address of a proxy whose headers count. */
  readonly isTrusted: (address: string) => boolean;
}

const SCHEMES: Readonly<Record<string, boolean>> = { http: false, ws: false, https: true, wss: true };
/** Names that hide an address (RFC 7239, section 6). */
const HIDDEN = /^(?:unknown|_[A-Za-z0-9._-]+)$/i;

/**
 * Returns what trusted proxies report about the client of a request. Lists are read from the right: the entry of a
 * trusted proxy is the hop before it, up to the first address that is not trusted. What stands before comes from the
 * client and is not looked at.
 *
 * Throws ProtocolError when an entry of a trusted proxy is not valid, and when `Forwarded` and the `X-Forwarded` headers
 * contradict each other: a proxy that sets the ones passes the others on as the client sent them.
 */
export function readForwarded(headers: Headers, options: ForwardedOptions): Reported {
  const standard = readStandard(headers.get("forwarded"), options);
  const usual = readUsual(headers, options);
  const textOf = ({ host }: Reported): string | undefined => host && formatHost(host);
  agree("for", standard.address, usual.address);
  agree("host", textOf(standard), textOf(usual));
  agree("proto", standard.tls, usual.tls);
  return {
    address: usual.address ?? standard.address,
    host: usual.host ?? standard.host,
    tls: usual.tls ?? standard.tls,
  };
}

/** Reads `X-Forwarded-For`, `-Host` and `-Proto`. */
function readUsual(headers: Headers, options: ForwardedOptions): Reported {
  const hops = listOf(headers.get("x-forwarded-for"));
  const { address, index } = walk("X-Forwarded-For", hops, options);
  // The proxies that are skipped may have added a value of their own to these lists, too.
  const skipped = Math.max(0, hops.length - 1 - index);
  const last = (name: string): string | undefined => {
    const values = listOf(headers.get(name));
    return values.at(-1 - Math.min(skipped, values.length - 1));
  };
  return {
    address,
    host: readHost("X-Forwarded-Host", last("x-forwarded-host")),
    tls: readScheme("X-Forwarded-Proto", last("x-forwarded-proto")),
  };
}

function readStandard(header: string | null, options: ForwardedOptions): Reported {
  const elements = parseForwarded(header ?? "");
  if (elements === undefined) throw invalid("Forwarded", header ?? "", "elements as RFC 7239 has them");
  const hops = elements.map((element) => element.get("for") ?? "unknown");
  const { address, index } = walk("Forwarded", hops, options);
  const known = elements.slice(index);
  return {
    address,
    host: readHost("Forwarded", firstOf(known, "host")),
    tls: readScheme("Forwarded", firstOf(known, "proto")),
  };
}

/** The parameter of the element that is nearest to the client. */
function firstOf(elements: readonly ForwardedElement[], name: string): string | undefined {
  return elements.find((element) => element.has(name))?.get(name);
}

/** Returns the address of the client, and which of the hops has it. Without hops there is no address. */
function walk(
  header: string,
  hops: readonly string[],
  { proxy, isTrusted }: ForwardedOptions,
): { address: string | undefined; index: number } {
  let address = proxy;
  for (let index = hops.length - 1; index >= 0; index--) {
    const hop = hops[index] ?? "";
    // The client stays unknown: the proxy that hides it stands for it.
    if (HIDDEN.test(hop)) return { address, index };
    const next = addressOf(hop);
    if (next === undefined) throw invalid(header, hop, "IP addresses");
    address = next;
    if (!isTrusted(address)) return { address, index };
  }
  return { address: hops.length === 0 ? undefined : address, index: 0 };
}

/** Parses an address, IPv6 also in brackets, with or without a port. */
function addressOf(hop: string): string | undefined {
  const [, bracketed, plain] = /^(?:\[([^\]]+)\]|([\d.]+))(?::[\w.-]+)?$/.exec(hop) ?? [];
  return canonicalAddress(bracketed ?? plain ?? hop);
}

function readHost(header: string, text: string | undefined): HostAndPort | undefined {
  if (text === undefined) return undefined;
  const host = parseHostAndPort(text);
  if (host === undefined) throw invalid(header, text, "a name or address, and a port");
  return host;
}

function readScheme(header: string, text: string | undefined): boolean | undefined {
  if (text === undefined) return undefined;
  const scheme = text.toLowerCase();
  const isEncrypted = Object.hasOwn(SCHEMES, scheme) ? SCHEMES[scheme] : undefined;
  if (isEncrypted === undefined) throw invalid(header, text, Object.keys(SCHEMES).join(", "));
  return isEncrypted;
}

function agree<Value>(parameter: string, standard: Value | undefined, usual: Value | undefined): void {
  if (standard === undefined || usual === undefined || standard === usual) return;
  const message = `Forwarded: found another "${parameter}" than in X-Forwarded-${parameter}; allowed: the same in both`;
  throw new ProtocolError("invalid_request", `${message}, or one of them, as the proxy sets it`);
}

function invalid(header: string, found: string, allowed: string): ProtocolError {
  return new ProtocolError("invalid_request", `${header}: found ${describeValue(found)}; allowed: ${allowed}`);
}

/** The parts of a comma-separated header, without empty ones. */
function listOf(header: string | null): string[] {
  return (header ?? "").split(",").flatMap((part) => part.trim() || []);
}
