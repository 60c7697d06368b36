import { expect, test } from "bun:test";

import { canonicalRange, IpRanges } from "../../src/lib/ip-ranges.ts";

const ranges = (...texts: string[]) => new IpRanges(texts.map((text) => canonicalRange(text) ?? ""));
const inside = (set: IpRanges, addresses: readonly string[]) => addresses.filter((address) => set.has(address));

test("a range has the addresses that share its first bits", () => {
  const set = ranges("10.0.0.0/8", "192.0.2.7", "172.16.0.0/12", "2001:db8::/33");
  expect(
    inside(set, [
      "10.255.255.255",
      "11.0.0.0",
      "9.255.255.255",
      "192.0.2.7",
      "192.0.2.8",
      "172.31.255.255",
      "172.32.0.0",
      "2001:db8:7fff::1",
      "2001:db8:8000::1",
    ]),
  ).toEqual(["10.255.255.255", "192.0.2.7", "172.31.255.255", "2001:db8:7fff::1"]);
});

test("bits of the address beyond the prefix do not count", () => {
  expect(inside(ranges("10.1.2.3/8"), ["10.9.9.9", "11.1.2.3"])).toEqual(["10.9.9.9"]);
});

test("IPv4 and IPv6 do not match each other, and all of one is not all of the other", () => {
  const addresses = ["1.2.3.4", "2001:db8::1", "::1"];
  expect(inside(ranges("0.0.0.0/0"), addresses)).toEqual(["1.2.3.4"]);
  expect(inside(ranges("::/0"), addresses)).toEqual(["2001:db8::1", "::1"]);
});

test("a range of mapped addresses is one of IPv4", () => {
  expect(canonicalRange("::ffff:10.0.0.0/104")).toBe("10.0.0.0/8");
  expect(inside(ranges("::ffff:10.0.0.0/104"), ["10.9.9.9", "11.0.0.1"])).toEqual(["10.9.9.9"]);
});

test("an empty set, and a text that is no address, match nothing", () => {
  expect(inside(ranges(), ["10.0.0.1", "::1", ""])).toEqual([]);
  expect(inside(ranges("0.0.0.0/0", "::/0"), ["", "unknown", "10.0.0"])).toEqual([]);
});
