import { describe, expect, test } from "bun:test";

import { IpRanges } from "../../../src/lib/ip-ranges.ts";
import { ProtocolError } from "../../../src/protocol/errors.ts";
import { readForwarded } from "../../../src/server/edge/forwarded.ts";

const PROXY = "10.0.0.1";
const proxies = new IpRanges(["10.0.0.0/8", "2001:db8:a::/48"]);

function read(headers: Record<string, string>) {
  return readForwarded(new Headers(headers), { proxy: PROXY, isTrusted: (address) => proxies.has(address) });
}

function address(header: "X-Forwarded-For" | "Forwarded", value: string): string | undefined {
  return read({ [header]: value }).address;
}

function refusal(headers: Record<string, string>): string {
  try {
    read(headers);
  } catch (error) {
    if (error instanceof ProtocolError && error.code === "invalid_request") return error.message;
    throw error;
  }
  throw new Error("the headers were accepted");
}

describe("X-Forwarded-For", () => {
  test.each([
    ["192.0.2.1", "192.0.2.1", "the only entry"],
    ["198.51.100.9, 192.0.2.1", "192.0.2.1", "the last one, since a client can claim what stands before"],
    ["192.0.2.1, 10.0.0.2, 10.0.0.3", "192.0.2.1", "the last one that is no proxy"],
    ["evil, 192.0.2.1, 10.0.0.2", "192.0.2.1", "without a look at what the client claims"],
    ["10.0.0.9, 10.0.0.2", "10.0.0.9", "the first one if all are proxies"],
    ["192.0.2.1:4711", "192.0.2.1", "without its port"],
    ["[2001:DB8::1]:4711", "2001:db8::1", "in canonical form"],
    ["2001:db8::1", "2001:db8::1", "IPv6 without brackets"],
    ["::ffff:192.0.2.1", "192.0.2.1", "IPv4 that is mapped into IPv6"],
    ["192.0.2.1, ::ffff:10.0.0.2", "192.0.2.1", "past a proxy whose address is mapped"],
    ["192.0.2.1, 2001:db8:a::7", "192.0.2.1", "past a proxy with IPv6"],
    [" , 192.0.2.1 ,, ", "192.0.2.1", "without empty entries"],
    ["192.0.2.1, unknown", PROXY, "the proxy itself if it hides the client"],
    ["192.0.2.1, unknown, 10.0.0.2", "10.0.0.2", "the nearest proxy to a hidden client"],
    ["192.0.2.1, _secret", PROXY, "the proxy if the client has an obfuscated name"],
  ])("%s: the client is %s, %s", (value, expected) => {
    expect(address("X-Forwarded-For", value)).toBe(expected);
  });

  test("of a trusted proxy that is no address is refused", () => {
    expect(refusal({ "X-Forwarded-For": "192.0.2.1, 1.2.3" })).toBe(
      'X-Forwarded-For: found "1.2.3"; allowed: IP addresses',
    );
    expect(refusal({ "X-Forwarded-For": "evil.example" })).toContain('found "evil.example"');
  });

  test("that is missing or empty reports nothing", () => {
    expect(read({})).toEqual({ address: undefined, host: undefined, tls: undefined });
    expect(read({ "X-Forwarded-For": "", Forwarded: "" }).address).toBeUndefined();
  });
});

describe("X-Forwarded-Host and -Proto", () => {
  test("count, with https and wss for an encrypted connection", () => {
    expect(read({ "X-Forwarded-Host": "App.example:8443", "X-Forwarded-Proto": "https" })).toEqual({
      address: undefined,
      host: { host: "app.example", port: "8443" },
      tls: true,
    });
    for (const [scheme, tls] of [
      ["http", false],
      ["ws", false],
      ["WSS", true],
    ] as const) {
      expect(read({ "X-Forwarded-Proto": scheme }).tls).toBe(tls);
    }
  });

  test("of several proxies belong to the hop of the client, and what stands before comes from the client", () => {
    const headers = {
      "X-Forwarded-For": "203.0.113.1, 192.0.2.1, 10.0.0.2",
      "X-Forwarded-Host": "evil.example, app.example, internal",
      "X-Forwarded-Proto": "http, https, http",
    };
    expect(read(headers)).toEqual({ address: "192.0.2.1", host: { host: "app.example", port: "" }, tls: true });
    expect(read({ ...headers, "X-Forwarded-Host": "app.example" }).host?.host).toBe("app.example");
  });

  test("that are not valid are refused", () => {
    expect(refusal({ "X-Forwarded-Host": "a b" })).toBe(
      'X-Forwarded-Host: found "a b"; allowed: a name or address, and a port',
    );
    expect(refusal({ "X-Forwarded-Proto": "gopher" })).toBe(
      'X-Forwarded-Proto: found "gopher"; allowed: http, ws, https, wss',
    );
    expect(refusal({ "X-Forwarded-Proto": "__proto__" })).toContain("allowed: http");
  });
});

describe("Forwarded", () => {
  test("counts with address, host and scheme, from the right", () => {
    expect(
      read({ Forwarded: 'for=203.0.113.1;host=evil, for=192.0.2.1;host="app.example";proto=https, for=10.0.0.2' }),
    ).toEqual({ address: "192.0.2.1", host: { host: "app.example", port: "" }, tls: true });
    expect(address("Forwarded", 'for="[2001:db8::17]:4711"')).toBe("2001:db8::17");
  });

  test("without a host in the client's element has that of the next proxy, never that of the client", () => {
    const elements = ["for=203.0.113.1;host=evil", "for=192.0.2.1", "for=10.0.0.2;host=app.example;proto=https"];
    expect(read({ Forwarded: elements.join(", ") })).toMatchObject({ host: { host: "app.example" }, tls: true });
  });

  test("with a hidden client, or without `for`, stands for the proxy", () => {
    expect(address("Forwarded", "for=192.0.2.1, for=unknown")).toBe(PROXY);
    expect(address("Forwarded", "for=192.0.2.1, for=_x, for=10.0.0.7")).toBe("10.0.0.7");
    expect(address("Forwarded", "for=192.0.2.1, proto=https")).toBe(PROXY);
  });

  test("that is not valid is refused as a whole: an open quote of the client swallows what proxies add", () => {
    expect(refusal({ Forwarded: 'for=", for=192.0.2.1' })).toStartWith("Forwarded: found ");
    expect(refusal({ Forwarded: "for=300.1.1.1" })).toBe('Forwarded: found "300.1.1.1"; allowed: IP addresses');
    expect(refusal({ Forwarded: "for=192.0.2.1;proto=ftp" })).toContain('Forwarded: found "ftp"');
  });

  test("may stand beside X-Forwarded headers that say the same, and fills in what they lack", () => {
    const same = {
      Forwarded: "for=192.0.2.1;proto=https",
      "X-Forwarded-For": "192.0.2.1",
      "X-Forwarded-Host": "a.example",
    };
    expect(read(same)).toEqual({ address: "192.0.2.1", host: { host: "a.example", port: "" }, tls: true });
  });

  test.each([
    [{ Forwarded: "for=198.51.100.1", "X-Forwarded-For": "192.0.2.1" }, "for"],
    [{ Forwarded: "for=192.0.2.1;host=localhost", "X-Forwarded-Host": "evil.example" }, "host"],
    [{ Forwarded: "for=192.0.2.1;proto=https", "X-Forwarded-Proto": "http" }, "proto"],
  ])("that contradicts X-Forwarded headers is refused, since one of them may come from the client", (headers, name) => {
    expect(refusal(headers as Record<string, string>)).toContain(`found another "${name}" than in X-Forwarded-${name}`);
  });
});
