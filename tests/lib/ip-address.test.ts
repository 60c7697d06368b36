import { describe, expect, test } from "bun:test";

import { canonicalAddress, isLoopbackAddress, subscriberOf } from "../../src/lib/ip-address.ts";

describe("canonicalAddress", () => {
  test.each([
    ["192.0.2.1", "192.0.2.1"],
    ["2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
    ["::FFFF:192.0.2.1", "192.0.2.1"],
    ["::ffff:c000:201", "192.0.2.1"],
    ["0:0:0:0:0:ffff:7f00:1", "127.0.0.1"],
    ["fe80::1%eth0", "fe80::1"],
    ["::1", "::1"],
    ["::", "::"],
    ["::1.2.3.4", "::102:304"],
    // The parser of URLs in Bun 1.4.5 refuses these.
    ["1:2::5:6:1.2.3.4", "1:2::5:6:102:304"],
    ["0:0:0::0:0.0.0.0", "::"],
    ["0:0::0:ffff:192.0.2.1", "192.0.2.1"],
  ])("%s is %s", (text, canonical) => {
    expect(canonicalAddress(text)).toBe(canonical);
    expect(canonicalAddress(canonical)).toBe(canonical);
  });

  test.each(["", "localhost", "1.2.3", "01.2.3.4", "0x7f.1", "1.2.3.4:80", "[::1]", "::1:", "1.2.3.256", " 1.2.3.4"])(
    "%j is no address",
    (text) => {
      expect(canonicalAddress(text)).toBeUndefined();
    },
  );
});

test("the loopback addresses are 127.0.0.0/8 and ::1", () => {
  const found = [
    "127.0.0.1",
    "127.255.0.9",
    "::1",
    "128.0.0.1",
    "12.7.0.1",
    "127.0.0.1.evil.example",
    "::",
    "::2",
    "::1:0",
  ].filter(isLoopbackAddress);
  expect(found).toEqual(["127.0.0.1", "127.255.0.9", "::1"]);
});

test("a subscriber is an IPv4 address or 64 bits of an IPv6 address; neighbours on the link are told apart", () => {
  expect(subscriberOf("192.0.2.1")).toBe("192.0.2.1");
  expect(subscriberOf("2001:db8:1:2:3:4:5:6")).toBe("2001:db8:1:2::/64");
  expect(subscriberOf("2001:db8::1")).toBe("2001:db8::/64");
  expect(subscriberOf("2001:db8:0:1::")).toBe("2001:db8:0:1::/64");
  expect(subscriberOf("1::2:3:4:5:6:7")).toBe("1:0:2:3::/64");
  expect(subscriberOf("::1:2")).toBe("::/64");
  expect(subscriberOf("::1")).toBe("::1");
  expect(subscriberOf("fe80::1")).toBe("fe80::1");
  expect(subscriberOf("febf:0:0:1::1")).toBe("febf:0:0:1::1");
  expect(subscriberOf("")).toBe("");
});
