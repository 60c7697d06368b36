import { describe, expect, test } from "bun:test";

import { canonicalHost, formatHost, isLoopbackHost, parseHostAndPort } from "../../src/lib/host-name.ts";

describe("a host", () => {
  test.each([
    ["Streamer.EXAMPLE", "streamer.example"],
    ["streamer.example.", "streamer.example"],
    ["bücher.example", "xn--bcher-kva.example"],
    ["a_b", "a_b"],
    ["[::1]", "::1"],
    ["[2001:DB8::0:1]", "2001:db8::1"],
    ["[::ffff:127.0.0.1]", "127.0.0.1"],
    ["127.1", "127.0.0.1"],
    ["0x7f.0.0.1", "127.0.0.1"],
    ["2130706433", "127.0.0.1"],
    ["１２７.0.0.1", "127.0.0.1"],
    ["127.0.0.1.", "127.0.0.1"],
  ])("%s is compared as %s", (text, host) => {
    expect(canonicalHost(text)).toBe(host);
  });

  test.each([
    "",
    ".",
    "a..b",
    "a b",
    "user@a",
    "a/b",
    "a\\b",
    "a?b",
    "a#b",
    "a%2eb",
    "a,b",
    "*.a",
    "::1",
    "[::1",
    "[::1%25eth0]",
    "[localhost]",
    "[@a?]",
    "[@a:1/]",
    "-a",
    "x".repeat(64),
    `${"x.".repeat(130)}y`,
    "a\tb",
    "1.2.3.256",
  ])("%j is none", (text) => {
    expect(canonicalHost(text)).toBeUndefined();
  });

  test("may have a port, and no user information", () => {
    expect(parseHostAndPort("A.example:8080")).toEqual({ host: "a.example", port: "8080" });
    expect(parseHostAndPort("[::1]:0")).toEqual({ host: "::1", port: "0" });
    expect(parseHostAndPort("[::1]")).toEqual({ host: "::1", port: "" });
    expect(parseHostAndPort("a.example:")).toEqual({ host: "a.example", port: "" });
    for (const wrong of ["a:b", "a:65536", "a:999999", "::1", "a@b:1", "[::1]x", "", ":80", "a:1:2", "a, b"]) {
      expect([wrong, parseHostAndPort(wrong)]).toEqual([wrong, undefined]);
    }
    expect(formatHost({ host: "::1", port: "80" })).toBe("[::1]:80");
    expect(formatHost({ host: "a.example", port: "" })).toBe("a.example");
  });

  test("of the machine itself is localhost, a name below it, or a loopback address", () => {
    const hosts = ["localhost", "app.localhost", "127.0.0.9", "::1", "localhost.example", "notlocalhost", "10.0.0.1"];
    expect(hosts.filter(isLoopbackHost)).toEqual(["localhost", "app.localhost", "127.0.0.9", "::1"]);
  });
});
