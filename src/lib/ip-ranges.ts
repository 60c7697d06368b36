import { isIPv4 } from "node:net";

import { canonicalAddress } from "./ip-address.ts";

/** Bits of an address before those of an IPv4 address that is mapped into IPv6. */
const MAPPED_PREFIX = 96;

/** Returns a range of IP addresses in canonical form, as CIDR: an address is a range of one. Undefined: it is none. */
export function canonicalRange(text: string): string | undefined {
  const [, written = "", digits] = /^([^/%]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const address = canonicalAddress(written);
  if (address === undefined) return undefined;
  const bits = isIPv4(address) ? 32 : 128;
  if (digits === undefined) return `${address}/${bits}`;
  const prefix = Number(digits) - (bits === 32 && !isIPv4(written) ? MAPPED_PREFIX : 0);
  return prefix >= 0 && prefix <= bits ? `${address}/${prefix}` : undefined;
}
