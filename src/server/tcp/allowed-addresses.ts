import { isLoopbackAddress } from "../../lib/ip-address.ts";
import { IpRanges } from "../../lib/ip-ranges.ts";

/**
 * Returns a function that tells whether a client may connect, by its address in canonical form.
 * @param ranges in canonical form; programs of the machine itself may always connect; empty: everybody may
 */
export function allowedAddresses(ranges: readonly string[]): (address: string) => boolean {
  if (ranges.length === 0) return () => true;
  const allowed = new IpRanges(ranges);
  return (address) => isLoopbackAddress(address) || allowed.has(address);
}
