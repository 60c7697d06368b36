import { describe, expect, test } from "bun:test";

import { ProtocolError } from "../../../src/protocol/errors.ts";
import { Edge, type EdgeOptions, type Visit } from "../../../src/server/edge/edge.ts";

interface Setup {
  readonly hosts?: string[];
  readonly origins?: string[];
  readonly proxies?: string[];
  readonly tokensExist?: boolean;
  readonly forOperators?: boolean;
  readonly log?: EdgeOptions["log"];
  readonly clock?: () => number;
}

function edgeOf({ hosts = [], origins = [], proxies = [], tokensExist = false, ...rest }: Setup = {}): Edge {
  const { forOperators, log, clock } = rest;
  return new Edge({
    server: { host: "0.0.0.0", hosts, allowed_origins: origins, trusted_proxies: proxies },
    access: { required: tokensExist },
    forOperators,
    machine: "build-1",
    log: log ?? { warn: () => undefined },
    clock: clock ?? (() => 0),
  });
}

/** A request as Bun gives it. Undefined headers are left out. */
function request(headers: Record<string, string | undefined>, url = "http://any.example/"): Request {
  return new Request(url, {
    headers: Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  });
}

function visit(edge: Edge, headers: Record<string, string | undefined>, peer = "192.0.2.1"): Visit {
  const read = edge.read(request(headers), peer);
  if (read instanceof ProtocolError) throw read;
  return read;
}

type Decision = "open" | "invalid_request" | "host_not_allowed" | "origin_not_allowed";

/** What an upgrade or a POST gets, and a GET. */
function decisions(
  edge: Edge,
  headers: Record<string, string | undefined>,
  peer?: string,
): [use: Decision, read: Decision] {
  const read = edge.read(request(headers), peer ?? "192.0.2.1");
  if (read instanceof ProtocolError) return [read.code as Decision, read.code as Decision];
  const codeOf = (error: ProtocolError | undefined) => (error?.code ?? "open") as Decision;
  return [codeOf(edge.refusesUse(read)), codeOf(edge.refusesRead(read))];
}

const OPEN = ["open", "open"];
const FOREIGN_HOST = ["host_not_allowed", "host_not_allowed"];
const FOREIGN_ORIGIN = ["origin_not_allowed", "open"];

describe("the name that a request comes by", () => {
  const edge = edgeOf({ hosts: ["streamer.example", "*.internal"] });

  test.each([
    ["192.0.2.7:8080", OPEN],
    ["[2001:db8::1]:8080", OPEN],
    ["[::ffff:192.0.2.7]", OPEN],
    ["127.0.0.1", OPEN],
    ["LocalHost.:8080", OPEN],
    ["build-1:8080", OPEN],
    ["BUILD-1.local", OPEN],
    ["Streamer.Example:443", OPEN],
    ["streamer.example.", OPEN],
    ["a.b.internal", OPEN],
    ["evil.example", FOREIGN_HOST],
    ["streamer.example.evil.example", FOREIGN_HOST],
    ["localhost.evil.example", FOREIGN_HOST],
    ["127.0.0.1.evil.example", FOREIGN_HOST],
    ["internal", FOREIGN_HOST],
    ["build-10", FOREIGN_HOST],
    ["", ["invalid_request", "invalid_request"]],
    ["localhost@evil.example", ["invalid_request", "invalid_request"]],
    ["evil.example@localhost", ["invalid_request", "invalid_request"]],
    ["localhost, evil.example", ["invalid_request", "invalid_request"]],
    ["localhost:99999", ["invalid_request", "invalid_request"]],
    ["localhost%00", ["invalid_request", "invalid_request"]],
    ["::1", ["invalid_request", "invalid_request"]],
  ])("%s", (host, expected) => {
    expect(decisions(edge, { host })).toEqual(expected as [Decision, Decision]);
  });

  test("is refused in words that name server.hosts, and not the names that would do", () => {
    const error = edge.refusesRead(visit(edge, { host: "evil.example" }));
    expect(error?.message).toBe(
      'Host: found "evil.example"; allowed: an IP address, localhost, the name of the machine, or a name in server.hosts',
    );
    expect(error?.row.status).toBe(403);
  });

  test("does not matter once clients need a token, but for what they use without one", () => {
    const closed = edgeOf({ tokensExist: true });
    expect(decisions(closed, { host: "any.example" })).toEqual(["open", "open"]);
    expect(closed.refusesUse(visit(closed, { host: "any.example" }), true)?.code).toBe("host_not_allowed");
    expect(closed.refusesRead(visit(closed, { host: "any.example" }), true)?.code).toBe("host_not_allowed");
    for (const refuses of ["refusesUse", "refusesRead"] as const) {
      expect(closed[refuses](visit(closed, { host: "localhost" }), true)).toBeUndefined();
    }
  });

  test("may be missing when nothing is changed, as in health checks over HTTP/1.0", () => {
    expect(decisions(edge, {})).toEqual(["invalid_request", "open"]);
    expect(decisions(edgeOf({ tokensExist: true }), {})).toEqual(["invalid_request", "open"]);
  });
});

describe("the origin of an upgrade or a POST", () => {
  const origins = ["https://app.example", "*.partner.example", "null"];
  const PLAIN = edgeOf({ hosts: ["streamer.example"] });
  const LISTED = edgeOf({ hosts: ["streamer.example"], origins });

  test.each([
    [undefined, "streamer.example", OPEN, OPEN],
    ["https://streamer.example", "streamer.example:8443", OPEN, OPEN],
    ["http://STREAMER.example.:3000", "streamer.example", OPEN, OPEN],
    ["http://192.0.2.7", "192.0.2.7:8080", OPEN, OPEN],
    ["http://[2001:db8::1]:3000", "[2001:DB8:0::1]:8080", OPEN, OPEN],
    ["http://localhost:3000", "localhost:8080", OPEN, OPEN],
    ["http://localhost:3000", "127.0.0.1:8080", OPEN, OPEN],
    ["http://127.0.0.1:3000", "[::1]:8080", OPEN, OPEN],
    ["http://app.localhost", "localhost", OPEN, OPEN],
    ["http://localhost:3000", "192.0.2.7:8080", FOREIGN_ORIGIN, FOREIGN_ORIGIN],
    ["http://192.0.2.7", "localhost:8080", FOREIGN_ORIGIN, FOREIGN_ORIGIN],
    ["http://192.0.2.8", "192.0.2.7", FOREIGN_ORIGIN, FOREIGN_ORIGIN],
    ["https://evil.example", "localhost:8080", FOREIGN_ORIGIN, FOREIGN_ORIGIN],
    ["https://localhost.evil.example", "localhost", FOREIGN_ORIGIN, FOREIGN_ORIGIN],
    ["https://streamer.example.evil.example", "streamer.example", FOREIGN_ORIGIN, FOREIGN_ORIGIN],
    ["https://evilstreamer.example", "streamer.example", FOREIGN_ORIGIN, FOREIGN_ORIGIN],
    ["https://x.streamer.example", "streamer.example", FOREIGN_ORIGIN, FOREIGN_ORIGIN],
    ["https://example", "streamer.example", FOREIGN_ORIGIN, FOREIGN_ORIGIN],
    ["https://app.example", "streamer.example", FOREIGN_ORIGIN, OPEN],
    ["https://app.example:8443", "streamer.example", FOREIGN_ORIGIN, FOREIGN_ORIGIN],
    ["http://app.example", "streamer.example", FOREIGN_ORIGIN, FOREIGN_ORIGIN],
    ["http://a.partner.example:81", "streamer.example", FOREIGN_ORIGIN, OPEN],
    ["null", "localhost", FOREIGN_ORIGIN, OPEN],
    ["", "localhost", FOREIGN_ORIGIN, FOREIGN_ORIGIN],
    ["http://localhost@evil.example", "localhost", FOREIGN_ORIGIN, FOREIGN_ORIGIN],
    ["http://localhost, http://evil.example", "localhost", FOREIGN_ORIGIN, FOREIGN_ORIGIN],
    ["https://app.example", "evil.example", FOREIGN_HOST, FOREIGN_HOST],
    ["https://evil.example", "evil.example", FOREIGN_HOST, FOREIGN_HOST],
  ])("%s at %s", (origin, host, plain, listed) => {
    expect(decisions(PLAIN, { origin, host })).toEqual(plain as [Decision, Decision]);
    expect(decisions(LISTED, { origin, host })).toEqual(listed as [Decision, Decision]);
  });

  test("is checked also when clients need a token", () => {
    const edge = edgeOf({ tokensExist: true });
    expect(decisions(edge, { origin: "https://evil.example", host: "any.example" })).toEqual([
      "origin_not_allowed",
      "open",
    ]);
    expect(decisions(edge, { origin: "https://any.example", host: "any.example" })).toEqual(["open", "open"]);
  });

  test("is refused in words that name server.allowed_origins", () => {
    const error = PLAIN.refusesUse(visit(PLAIN, { host: "localhost", origin: "https://evil.example" }));
    expect(error?.message).toBe(
      'Origin: found "https://evil.example"; allowed: pages of this server, and the origins in server.allowed_origins',
    );
    expect(error?.row.status).toBe(403);
  });
});

describe("what a proxy reports", () => {
  const HEADERS = {
    host: "upstream.internal:8080",
    "x-forwarded-for": "203.0.113.9, 198.51.100.4",
    "x-forwarded-host": "streamer.example",
    "x-forwarded-proto": "https",
  };
  const proxied = edgeOf({ hosts: ["streamer.example"], proxies: ["192.0.2.0/24", "2001:db8:a::/48"] });

  test.each(["192.0.2.1", "::ffff:192.0.2.1", "2001:db8:a::5"])("counts from %s, which is trusted", (peer) => {
    expect(visit(proxied, HEADERS, peer)).toEqual({
      address: "198.51.100.4",
      host: { host: "streamer.example", port: "" },
      origin: undefined,
      tls: true,
      isLocal: false,
    });
    expect(decisions(proxied, { ...HEADERS, origin: "https://streamer.example" }, peer)).toEqual(["open", "open"]);
    expect(decisions(proxied, { ...HEADERS, "x-forwarded-host": "evil.example" }, peer)).toEqual([
      "host_not_allowed",
      "host_not_allowed",
    ]);
  });

  test.each(["192.0.3.1", "2001:db8:b::5", "127.0.0.1", ""])("is ignored from %s, which is not", (peer) => {
    expect(visit(proxied, HEADERS, peer)).toMatchObject({
      address: peer,
      host: { host: "upstream.internal" },
      tls: false,
    });
    expect(decisions(proxied, HEADERS, peer)).toEqual(["host_not_allowed", "host_not_allowed"]);
    const forwarded = { host: "evil.example", forwarded: "for=127.0.0.1;host=localhost;proto=https" };
    expect(decisions(proxied, forwarded, peer)).toEqual(["host_not_allowed", "host_not_allowed"]);
    expect(visit(proxied, { ...HEADERS, "x-forwarded-for": "not an address" }, peer).address).toBe(peer);
  });

  test("that is not valid refuses the request", () => {
    expect(decisions(proxied, { ...HEADERS, "x-forwarded-for": "what" }, "192.0.2.1")).toEqual([
      "invalid_request",
      "invalid_request",
    ]);
  });

  test("is nothing for requests of the proxy's own, such as health checks", () => {
    expect(visit(proxied, { host: "10.0.0.3" }, "192.0.2.1")).toMatchObject({
      address: "192.0.2.1",
      host: { host: "10.0.0.3" },
    });
    expect(decisions(proxied, {}, "192.0.2.1")).toEqual(["invalid_request", "open"]);
  });

  test("makes a client that it reports with a loopback address no program of this machine", () => {
    expect(visit(proxied, { host: "10.0.0.3", "x-forwarded-for": "127.0.0.1" }, "192.0.2.1").isLocal).toBe(false);
    expect(visit(proxied, { host: "10.0.0.3" }, "127.0.0.1").isLocal).toBe(true);
    expect(visit(proxied, { host: "10.0.0.3" }, "::1").isLocal).toBe(true);
    const local = edgeOf({ proxies: ["127.0.0.1/32"] });
    expect(visit(local, { host: "10.0.0.3" }, "127.0.0.1").isLocal).toBe(false);
  });
});

describe("the address for operators", () => {
  const setup: Setup = {
    hosts: ["*", "admin.example"],
    origins: ["*", "null", "https://app.example"],
    proxies: ["192.0.2.1/32"],
  };
  const clients = edgeOf(setup);
  const operators = edgeOf({ ...setup, forOperators: true });

  test.each([
    [undefined, "localhost", OPEN, OPEN],
    [undefined, "admin.example", OPEN, OPEN],
    [undefined, "evil.example", OPEN, FOREIGN_HOST],
    ["http://localhost:3000", "127.0.0.1:9091", OPEN, OPEN],
    ["https://admin.example", "admin.example", OPEN, OPEN],
    ["https://evil.example", "localhost", OPEN, FOREIGN_ORIGIN],
    ["https://app.example", "localhost", OPEN, FOREIGN_ORIGIN],
    ["null", "localhost", OPEN, FOREIGN_ORIGIN],
    ["https://evil.example", "evil.example", OPEN, FOREIGN_HOST],
  ])("does not open to pages and names that may use the port for clients: %s at %s", (origin, host, open, refused) => {
    expect(decisions(clients, { origin, host })).toEqual(open as [Decision, Decision]);
    expect(decisions(operators, { origin, host })).toEqual(refused as [Decision, Decision]);
  });

  test("does not let pages of others read its answers, nor believe the proxies of clients", () => {
    const headers = { host: "localhost", origin: "https://app.example", "x-forwarded-for": "198.51.100.4" };
    expect(clients.allowsOrigin(visit(clients, headers))).toBe(true);
    expect(operators.allowsOrigin(visit(operators, headers))).toBe(false);
    expect(visit(clients, headers).address).toBe("198.51.100.4");
    expect(visit(operators, headers).address).toBe("192.0.2.1");
  });

  test("refuses in words that name no setting which has no effect there", () => {
    expect(operators.refusesUse(visit(operators, { host: "localhost", origin: "https://app.example" }))?.message).toBe(
      'Origin: found "https://app.example"; allowed: pages of this server',
    );
    expect(operators.refusesRead(visit(operators, { host: "evil.example" }))?.message).toEndWith(
      "or a name in server.hosts other than *",
    );
  });
});

test("a connection with TLS is encrypted without a proxy", () => {
  expect(edgeOf().read(request({ host: "localhost" }, "https://localhost/"), "192.0.2.1")).toMatchObject({ tls: true });
});

test("refusals are logged with the setting that would help, each kind once in ten seconds", () => {
  const logged: unknown[] = [];
  let now = 0;
  const log: EdgeOptions["log"] = { warn: (event, fields) => void logged.push([event, fields]) };
  const edge = edgeOf({ log, clock: () => now, proxies: ["10.0.0.1/32"] });
  const foreign = visit(edge, { host: "evil.example" });
  edge.refusesRead(foreign);
  edge.refusesRead(foreign);
  edge.refusesUse(visit(edge, { host: "localhost", origin: "https://evil.example" }));
  edge.read(request({ host: "localhost", "x-forwarded-for": "x" }), "10.0.0.1");
  now = 10_000;
  edge.refusesUse(foreign);
  expect(logged).toEqual([
    ["host_refused", { host: "evil.example", address: "192.0.2.1", remedy: expect.stringContaining("server.hosts") }],
    [
      "origin_refused",
      {
        origin: "https://evil.example",
        address: "192.0.2.1",
        remedy: expect.stringContaining("server.allowed_origins"),
      },
    ],
    ["proxy_header_refused", { proxy: "10.0.0.1", reason: 'X-Forwarded-For: found "x"; allowed: IP addresses' }],
    ["host_refused", { host: "evil.example", address: "192.0.2.1", remedy: expect.any(String), left_out: 1 }],
  ]);
});
