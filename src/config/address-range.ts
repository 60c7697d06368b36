import { canonicalRange } from "../lib/ip-ranges.ts";
import type { TextFormat } from "./setting.ts";

export const RANGE_FORMAT: TextFormat = {
  allowed: "IP addresses and networks, such as 10.0.0.0/8 or 2001:db8::/32",
  pattern: "^[0-9A-Fa-f:.]+(?:/[0-9]{1,3})?$",
  isExact: false,
  accepts: (text) => canonicalRange(text) !== undefined,
};

/** Spells a range of addresses in canonical form. Returns other texts unchanged. */
export function spellRange(text: string): string {
  return canonicalRange(text) ?? text;
}
