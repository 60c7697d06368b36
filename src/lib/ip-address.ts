import { isIPv4, isIPv6 } from "node:net";

/** The 127.0.0.0/8 block and ::1, in canonical form. */
const LOOPBACK = /^(?:127(?:\.\d{1,3}){3}|::1)$/;
/** fe80::/10: the addresses of one network cable. */
const LINK_LOCAL = /^fe[89ab][0-9a-f]:/;
const MAPPED = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/;
const DOTTED = /(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/;
const GROUPS = 8;

/**
 * Returns an IP address in canonical form: IPv6 as RFC 5952 has it, without a zone; an IPv4-mapped one as IPv4. Undefined:
 * the text is no address.
 */
export function canonicalAddress(text: string): string | undefined {
  const [address = ""] = text.split("%", 1);
  if (isIPv4(address)) return address;
  if (!isIPv6(address)) return undefined;
  const canonical = URL.parse(`http://[${withoutDots(address)}]/`)?.hostname.slice(1, -1);
  if (canonical === undefined) return undefined;
  const [, high, low] = MAPPED.exec(canonical) ?? [];
  if (high === undefined || low === undefined) return canonical;
  const [first, second] = [Number.parseInt(high, 16), Number.parseInt(low, 16)];
  return [first >> 8, first & 255, second >> 8, second & 255].join(".");
}

/** Writes an IPv4 address at the end of an IPv6 one as two groups: Bun 1.4.5 takes `1:2::3:4:1.2.3.4` for no URL. */
function withoutDots(address: string): string {
  const [dotted = "", ...bytes] = DOTTED.exec(address) ?? [];
  if (dotted === "") return address;
  const [a = 0, b = 0, c = 0, d = 0] = bytes.map(Number);
  const groups = [a * 256 + b, c * 256 + d].map((group) => group.toString(16));
  return address.slice(0, -dotted.length) + groups.join(":");
}

/** @param address in canonical form */
export function isLoopbackAddress(address: string): boolean {
  return LOOPBACK.test(address);
}

/**
 * Returns the network of one subscriber that an address belongs to: the first 64 bits of an IPv6 address, since whoever
 * has one has all of that network. An IPv4 address and a link-local one stand for themselves.
 * @param address in canonical form
 */
export function subscriberOf(address: string): string {
  if (!isIPv6(address) || isLoopbackAddress(address) || LINK_LOCAL.test(address)) return address;
  const [before = "", after = ""] = address.split("::");
  const groups = (text: string) => (text === "" ? [] : text.split(":"));
  const [left, right] = [groups(before), groups(after)];
  const zeros = Array.from({ length: GROUPS - left.length - right.length }, () => "0");
  const network = [...left, ...zeros, ...right].slice(0, GROUPS / 2).join(":");
  return `${canonicalAddress(`${network}::`)}/64`;
}
