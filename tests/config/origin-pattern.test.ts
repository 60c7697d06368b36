import { expect, test } from "bun:test";

import { matchesOrigin, parseOriginPattern } from "../../src/config/origin-pattern.ts";

/** Which of these origins a pattern matches, as written in the configuration. */
function matched(pattern: string, ...origins: string[]): string[] {
  const canonical = parseOriginPattern(pattern);
  if (canonical === undefined) throw new Error(`${pattern} is no pattern`);
  return origins.filter((origin) => matchesOrigin(canonical, origin));
}

const ORIGINS = [
  "https://app.example",
  "http://app.example",
  "https://app.example:8443",
  "https://x.app.example",
  "https://evilapp.example",
  "https://app.example.evil",
  "null",
];

test("an origin matches with its scheme, host and port", () => {
  expect(matched("https://app.example", ...ORIGINS)).toEqual(["https://app.example"]);
  expect(matched("https://APP.example:443/", ...ORIGINS)).toEqual(["https://app.example"]);
  expect(matched("https://app.example:8443", ...ORIGINS)).toEqual(["https://app.example:8443"]);
  expect(matched("http://[::1]:3000", "http://[::1]:3000", "http://[::1]:3001")).toEqual(["http://[::1]:3000"]);
  expect(matched("https://app.example", "https://app.example:443")).toHaveLength(1);
});

test("a host matches with http and https, and any port", () => {
  expect(matched("app.example", ...ORIGINS, "ftp://app.example")).toEqual([
    "https://app.example",
    "http://app.example",
    "https://app.example:8443",
  ]);
});

test("a star for the first label matches the names below, not the name itself", () => {
  expect(matched("https://*.app.example", ...ORIGINS)).toEqual(["https://x.app.example"]);
  expect(matched("*.app.example", ...ORIGINS, "http://y.x.app.example:1")).toEqual([
    "https://x.app.example",
    "http://y.x.app.example:1",
  ]);
});

test("null matches only null, and a star alone matches everything", () => {
  expect(matched("null", ...ORIGINS)).toEqual(["null"]);
  expect(matched("*", ...ORIGINS)).toEqual(ORIGINS);
});

test("origins of extensions, apps and files match as they are", () => {
  const others = ["chrome-extension://abcdef", "tauri://localhost", "file://"];
  for (const origin of others) expect(matched(origin, ...others)).toEqual([origin]);
});

test("a text that is no origin matches nothing but a star", () => {
  const wrong = [
    "",
    "app.example",
    "https://app.example/path",
    "https://app.example, https://b.example",
    "https://u@app.example",
  ];
  for (const pattern of ["https://app.example", "app.example", "null"]) expect(matched(pattern, ...wrong)).toEqual([]);
});
