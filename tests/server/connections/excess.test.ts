import { describe, expect, test } from "bun:test";

import type { OpenConnection } from "../../../src/native/connections.ts";
import { chooseExcess, type ExcessRules, mostFrequentAddress } from "../../../src/server/connections/excess.ts";

/** Connections of one address, each silent for one of these times. Their descriptors are `base`, `base + 1` and so on. */
function from(address: string, base: number, ...silentMs: readonly number[]): OpenConnection[] {
  return silentMs.map((silence, index) => ({ fd: base + index, silentMs: silence, address, port: 40_000 + index }));
}

function chosen(open: readonly OpenConnection[], rules: Partial<ExcessRules>): Record<string, number[]> {
  const excess = chooseExcess(open, { perAddress: 0, isExempt: () => false, surplus: 0, ...rules });
  return Object.fromEntries(
    excess.map(({ cause, connections }) => [cause, connections.map(({ fd }) => fd).toSorted((a, b) => a - b)]),
  );
}

describe("connections without a session that are too many", () => {
  test("of one address: those that have been silent for longest, and for a second at least", () => {
    const open = [...from("192.0.2.1", 10, 5_000, 0, 9_000, 1_000, 999), ...from("192.0.2.2", 20, 9_000, 9_000)];
    expect(chosen(open, { perAddress: 2 })).toEqual({ address: [10, 12, 13] });
    expect(chosen(open, { perAddress: 1 })).toEqual({ address: [10, 12, 13, 21] });
    expect(chosen(open, { perAddress: 0 })).toEqual({});
    expect(chosen(open, { perAddress: 1, isExempt: (address) => address === "192.0.2.1" })).toEqual({ address: [21] });
  });

  test("in all: those of the address with the most, down to the same number for each", () => {
    const many = from("192.0.2.1", 10, 1, 2, 3, 4, 5, 6);
    const some = from("192.0.2.2", 20, 100, 200, 300);
    const one = from("192.0.2.3", 30, 60_000);
    const open = [...one, ...some, ...many];
    expect(chosen(open, { surplus: 3 })).toEqual({ all: [13, 14, 15] });
    expect(chosen(open, { surplus: 5 })).toEqual({ all: [12, 13, 14, 15, 22] });
    expect(chosen(open, { surplus: 7 })).toEqual({ all: [11, 12, 13, 14, 15, 21, 22] });
    expect(chosen(open, { surplus: 100 })["all"]).toHaveLength(10);
    // No address is exempt from that, and nobody has to be silent for it.
    expect(chosen(open, { surplus: 1, isExempt: () => true })).toEqual({ all: [15] });
  });

  test("of one address count for the total, too", () => {
    const open = from("192.0.2.1", 10, 4_000, 3_000, 2_000, 1_000, 0);
    expect(chosen(open, { perAddress: 3, surplus: 2 })).toEqual({ address: [10, 11] });
    expect(chosen(open, { perAddress: 3, surplus: 3 })).toEqual({ address: [10, 11], all: [12] });
  });

  test("of IPv6 are those of a network of 64 bits", () => {
    const open = [
      ...from("2001:db8::1", 10, 5_000),
      ...from("2001:db8::2", 20, 6_000),
      ...from("2001:db8:0:1::1", 30, 7_000),
    ];
    expect(chosen(open, { perAddress: 1 })).toEqual({ address: [20] });
    expect(mostFrequentAddress(open)).toBe("2001:db8::/64");
  });
});
