import { expect, test } from "bun:test";

import fc from "fast-check";

import { parseForwarded } from "../../../src/server/edge/forwarded-elements.ts";

const parsed = (header: string) => parseForwarded(header)?.map((element) => Object.fromEntries(element));

test("elements are parsed with their parameters, in any case, as the examples of RFC 7239 have them", () => {
  expect(parsed('for="_gazonk"')).toEqual([{ for: "_gazonk" }]);
  expect(parsed('For="[2001:db8:cafe::17]:4711"')).toEqual([{ for: "[2001:db8:cafe::17]:4711" }]);
  expect(parsed("for=192.0.2.60;proto=http;by=203.0.113.43")).toEqual([
    { for: "192.0.2.60", proto: "http", by: "203.0.113.43" },
  ]);
  expect(parsed("for=192.0.2.43, for=198.51.100.17")).toEqual([{ for: "192.0.2.43" }, { for: "198.51.100.17" }]);
  expect(parsed('for=192.0.2.43,for="[2001:db8:cafe::17]",for=unknown')).toHaveLength(3);
});

test("quoted values may have separators and escapes, and unquoted ones the characters of addresses", () => {
  expect(parsed('host="a,b;c\\"d\\\\"')).toEqual([{ host: 'a,b;c"d\\' }]);
  expect(parsed("for=1.2.3.4:80;host=a.example:8080")).toEqual([{ for: "1.2.3.4:80", host: "a.example:8080" }]);
  expect(parsed("for=[::1]:80")).toEqual([{ for: "[::1]:80" }]);
});

test("empty elements and parameters are left out", () => {
  expect(parsed("")).toEqual([]);
  expect(parsed(" , for=1.2.3.4;; ,, ")).toEqual([{ for: "1.2.3.4" }]);
});

test.each([
  'for="',
  'for="1.2.3.4',
  "for",
  "for=",
  "=1",
  "for=a b",
  "for=1.2.3.4 for=1.2.3.5",
  "for=1.2.3.4;for=1.2.3.5",
  'for="a"b',
  'for=1.2.3.4;x=", for="[::1]"',
  "for=a/b",
])("%s is not valid", (header) => {
  expect(parseForwarded(header)).toBeUndefined();
});

test("any text is parsed in a time that grows with its length", () => {
  fc.assert(fc.property(fc.string({ maxLength: 200 }), (text) => void parseForwarded(text)));
  const long = `for=1.2.3.4${", ".repeat(50_000)}`;
  expect(parsed(long)).toEqual([{ for: "1.2.3.4" }]);
  expect(parseForwarded(`for="${"\\".repeat(99_999)}`)).toBeUndefined();
});
