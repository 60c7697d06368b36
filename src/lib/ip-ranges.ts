import { BlockList, isIPv4 } from "node:net";

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

/** A set of ranges of IP addresses. */
export class IpRanges {
  /** One for each family: for Bun 1.4.5 an IPv4 address is one of ::/0, too. */
  readonly #lists = { ipv4: new BlockList(), ipv6: new BlockList() };

  /** @param ranges in canonical form */
  constructor(ranges: readonly string[]) {
    for (const range of ranges) {
      const [address = "", prefix] = range.split("/");
      const family = familyOf(address);
      this.#lists[family].addSubnet(address, Number(prefix), family);
    }
  }

  /** @param address in canonical form */
  has(address: string): boolean {
    const family = familyOf(address);
    return canonicalAddress(address) !== undefined && this.#lists[family].check(address, family);
  }
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return isIPv4(address) ? "ipv4" : "ipv6";
}
