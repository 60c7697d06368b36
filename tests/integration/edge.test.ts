import { describe, expect, setDefaultTimeout, test } from "bun:test";

import { type ServeProcess, sharedExecutable } from "../support/executable.ts";
import { exchange } from "../support/http-exchange.ts";
import { LOOPBACK_IS_LIMITED, type Settings } from "../support/in-process-server.ts";
import { reportMissing, testWith } from "../support/requirements.ts";
import { UpgradeRefused } from "../support/websocket-client.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const executable = await sharedExecutable();
const QUICK: Settings = { "model.workers": 1, "model.delay": 0, "log.format": "json" };
const server = await executable.serve({
  ...QUICK,
  "server.hosts": "streamer.example",
  "server.allowed_origins": "https://app.example",
  "server.trusted_proxies": "127.0.0.7",
});

/** Returns true if this machine has IPv6, else undefined. */
function hasIPv6(): true | undefined {
  try {
    Bun.listen({ hostname: "::", port: 0, socket: { data: () => {} } }).stop();
    return true;
  } catch {
    reportMissing("this machine has no IPv6");
    return undefined;
  }
}

const UPGRADE = [
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];
const ROUTES: Readonly<Record<string, readonly string[]>> = {
  upgrade: ["GET /api/v1/segmented HTTP/1.1", ...UPGRADE],
  ticket: ["POST /api/v1/tickets HTTP/1.1", "Content-Length: 0"],
  health: ["GET /api/v1/health HTTP/1.1"],
  metrics: ["GET /metrics HTTP/1.1"],
  info: ["GET /api/v1/info HTTP/1.1"],
  front: ["GET / HTTP/1.1"],
  nothing: ["GET /nothing HTTP/1.1"],
  options: ["OPTIONS /api/v1/health HTTP/1.1"],
};
const GOOD: Readonly<Record<string, number>> = { upgrade: 101, nothing: 404, options: 204 };

/** The statuses of all routes with these headers. */
async function statuses(headers: readonly string[], from?: string): Promise<Record<string, number>> {
  const found = Object.entries(ROUTES).map(async ([name, lines]): Promise<[string, number]> => {
    return [name, (await exchange(server, [...lines, ...headers], { from })).status];
  });
  return Object.fromEntries(await Promise.all(found));
}

/** What the routes answer that are not refused; `used` is the status of those that open or change something. */
function expected(used?: number, all?: number): Record<string, number> {
  return Object.fromEntries(
    Object.keys(ROUTES).map((name) => {
      const isUse = name === "upgrade" || name === "ticket";
      return [name, all ?? (isUse ? used : undefined) ?? GOOD[name] ?? 200];
    }),
  );
}

const PROXY = "127.0.0.7";

describe("every route", () => {
  test.each([
    [["Host: localhost"], expected(), "by a name of its own"],
    [["Host: LOCALHOST.:99"], expected(), "by a name of its own in another spelling"],
    [["Host: streamer.example"], expected(), "by a name in server.hosts"],
    [["Host: [2001:db8::1]:80"], expected(), "by an address"],
    [["Host: evil.example"], expected(403, 403), "by a foreign name, as after DNS rebinding"],
    [["Host: evil.example", "Origin: http://evil.example"], expected(403, 403), "by a foreign name and its own pages"],
    [["Host: evil.example", "X-Forwarded-Host: localhost"], expected(403, 403), "with a claim of a proxy that is none"],
    [["Host: localhost@evil.example"], expected(400, 400), "by a name with user information"],
    [["Host: localhost", "Host: evil.example"], expected(400, 400), "by two names"],
    [["Host: localhost", "Origin: http://localhost:3000"], expected(), "from a page of the machine"],
    [["Host: localhost", "Origin: https://app.example"], expected(), "from a page in server.allowed_origins"],
    [["Host: streamer.example", "Origin: https://streamer.example"], expected(), "from a page of its own"],
    [["Host: localhost", "Origin: https://evil.example"], expected(403), "from a foreign page"],
    [["Host: localhost", "Origin: null"], expected(403), "from a page without an origin"],
  ])("%j", async (headers, statusesExpected) => {
    expect(await statuses(headers)).toEqual(statusesExpected);
  });

  test("uses what a trusted proxy reports, and only that", async () => {
    const own = ["Host: upstream", "X-Forwarded-Host: streamer.example", "X-Forwarded-For: 192.0.2.1"];
    expect(await statuses(own, PROXY)).toEqual(expected());
    expect(await statuses(own)).toEqual(expected(403, 403));
    const page = [...own, "Origin: https://streamer.example"];
    expect(await statuses(page, PROXY)).toEqual(expected());
    const foreign = ["Host: localhost", "X-Forwarded-Host: evil.example"];
    expect(await statuses(foreign, PROXY)).toEqual(expected(403, 403));
    expect(await statuses(foreign)).toEqual(expected());
    const broken = ["Host: localhost", "X-Forwarded-For: what"];
    expect(await statuses(broken, PROXY)).toEqual(expected(400, 400));
    expect(await statuses(broken)).toEqual(expected());
    expect(await statuses(["Host: upstream", 'Forwarded: for=192.0.2.1;host="streamer.example"'], PROXY)).toEqual(
      expected(),
    );
  });

  test("without a Host header, over HTTP/1.0, is read and not used", async () => {
    const old = async (name: keyof typeof ROUTES) => {
      const lines = ROUTES[name] ?? [];
      return (await exchange(server, [lines[0]?.replace("1.1", "1.0") ?? "", ...lines.slice(1)])).status;
    };
    expect(await old("health")).toBe(200);
    expect(await old("metrics")).toBe(200);
    expect(await old("options")).toBe(204);
    expect(await old("upgrade")).toBe(400);
    expect(await old("ticket")).toBe(400);
  });

  test("with a complete URL in the request line is not reached by a name that is not its own", async () => {
    const status = async (url: string, host: string) =>
      (await exchange(server, [`GET ${url} HTTP/1.1`, `Host: ${host}`])).status;
    expect(await status("http://localhost/api/v1/health", "localhost")).toBe(200);
    expect(await status("http://localhost/api/v1/health", "evil.example")).toBe(403);
  });
});

describe("a refusal", () => {
  test("of a name says which setting allows it, and why, also on the route of a stream", async () => {
    for (const route of ["upgrade", "info"]) {
      const { headers, body } = await exchange(server, [...(ROUTES[route] ?? []), "Host: evil.example"]);
      expect(headers.get("content-type")).toStartWith("application/json");
      expect(JSON.parse(body)).toEqual({
        type: "error",
        code: "host_not_allowed",
        message:
          'Host: found "evil.example"; allowed: an IP address, localhost, the name of the machine, or a name in server.hosts',
        fatal: true,
        retryable: false,
      });
    }
  });

  test("is logged with its remedy, and counted if a session was asked for", async () => {
    await exchange(server, [...(ROUTES["upgrade"] ?? []), "Host: localhost", "Origin: https://evil.example"]);
    const metrics = (await exchange(server, ["GET /metrics HTTP/1.1", "Host: localhost"])).body;
    expect(metrics).toMatch(/streamer_sessions_refused_total\{reason="origin_not_allowed"\} [1-9]/);
    const logged = (event: string) => server.log.find((record) => record["event"] === event);
    expect(logged("origin_refused")).toMatchObject({
      level: "warning",
      remedy: expect.stringContaining("server.allowed_origins"),
    });
    expect(logged("host_refused")).toMatchObject({
      level: "warning",
      remedy: expect.stringContaining("server.hosts"),
      host: "evil.example",
    });
  });
});

describe("web pages of other origins", () => {
  const preflight = async (origin: string, path = "/api/v1/tickets", asked = "authorization") =>
    await exchange(server, [
      `OPTIONS ${path} HTTP/1.1`,
      "Host: localhost",
      `Origin: ${origin}`,
      "Access-Control-Request-Method: POST",
      `Access-Control-Request-Headers: ${asked}`,
    ]);

  test("may send the headers with which SDKs describe themselves, and no others", async () => {
    const asked = "authorization,x-stainless-os,X-Fern-SDK-Name,x-deepgram-session-id,x-forwarded-for,x-stainless-ä";
    const { status, headers } = await preflight("https://app.example", "/v1/audio/transcriptions", asked);
    expect(status).toBe(204);
    expect(headers.get("access-control-allow-headers")).toBe(
      "authorization, content-type, traceparent, tracestate, x-stainless-os, x-fern-sdk-name, x-deepgram-session-id",
    );
  });

  test("that are listed may request tickets and read answers, refusals too", async () => {
    const { status, headers } = await preflight("https://app.example");
    expect(status).toBe(204);
    expect(headers.get("access-control-allow-origin")).toBe("https://app.example");
    expect(headers.get("access-control-allow-methods")).toContain("POST");
    expect(headers.get("access-control-allow-headers")).toContain("authorization");
    expect(headers.get("vary")).toBe("Origin");
    const post = [
      ...(ROUTES["ticket"] ?? []),
      "Host: localhost",
      "Origin: https://app.example",
      "Authorization: Bearer x",
    ];
    const ticket = await exchange(server, post);
    expect([ticket.status, ticket.headers.get("access-control-allow-origin")]).toEqual([200, "https://app.example"]);
    const missing = await exchange(server, [
      "GET /nothing HTTP/1.1",
      "Host: localhost",
      "Origin: http://localhost:3000",
    ]);
    expect([missing.status, missing.headers.get("access-control-allow-origin")]).toEqual([
      404,
      "http://localhost:3000",
    ]);
  });

  test("that are not listed get no permission, and no cookies are ever permitted", async () => {
    const { status, headers, body } = await preflight("https://evil.example");
    expect([status, headers.get("access-control-allow-origin")]).toEqual([403, null]);
    expect(body).toContain("server.allowed_origins");
    const read = await exchange(server, ["GET /metrics HTTP/1.1", "Host: localhost", "Origin: https://evil.example"]);
    expect([read.status, read.headers.get("access-control-allow-origin")]).toEqual([200, null]);
    expect(read.headers.get("vary")).toBe("Origin");
    const allowed = await preflight("https://app.example");
    expect(allowed.headers.get("access-control-allow-credentials")).toBeNull();
  });
});

describe("the limit of an address", () => {
  /** Opens sessions one after the other, and returns the code of each refusal; undefined: it is open. */
  async function open(at: ServeProcess, count: number, headers: Record<string, string>, from = "127.0.0.1") {
    const codes: (string | undefined)[] = [];
    for (let i = 0; i < count; i++) {
      try {
        await at.connect({ from, headers });
        codes.push(undefined);
      } catch (error) {
        if (!(error instanceof UpgradeRefused)) throw error;
        codes.push((JSON.parse(error.body) as { code: string }).code);
      }
    }
    return codes;
  }
  const full = "too_many_sessions";

  test("is a tenth of all sessions by default, and none for programs of the machine", async () => {
    await using small = await executable.serve({
      ...QUICK,
      "limits.max_sessions": 20,
      "server.trusted_proxies": PROXY,
    });
    expect(await open(small, 5, {})).toEqual(Array(5).fill(undefined));
    const one = { "X-Forwarded-For": "192.0.2.1" };
    expect(await open(small, 3, one, PROXY)).toEqual([undefined, undefined, full]);
    // Claims of others are ignored.
    expect(await open(small, 1, one)).toEqual([undefined]);
  });

  test("counts the clients of a trusted proxy, whatever they claim; those with IPv6 by 64 bits of their address", async () => {
    const settings = { "limits.max_sessions_per_address": 1, "server.trusted_proxies": `${PROXY},10.0.0.0/8` };
    await using limited = await executable.serve({ ...QUICK, ...settings });
    const from = async (list: string) => await open(limited, 1, { "X-Forwarded-For": list }, PROXY);
    expect(await from("192.0.2.1")).toEqual([undefined]);
    expect(await from("198.51.100.9, 192.0.2.1")).toEqual([full]);
    expect(await from("192.0.2.1, 10.0.0.9")).toEqual([full]);
    expect(await from("192.0.2.2")).toEqual([undefined]);
    expect(await from("2001:db8:1:1::1")).toEqual([undefined]);
    expect(await from("2001:db8:1:1:ffff::2")).toEqual([full]);
    expect(await from("2001:db8:1:2::1")).toEqual([undefined]);
    expect(await from("::ffff:192.0.2.2")).toEqual([full]);
    // A client of the proxy is no program of this machine, whatever its address.
    expect(await from("127.0.0.1")).toEqual([undefined]);
    expect(await from("127.0.0.1")).toEqual([full]);
  });

  testWith(hasIPv6())("finds the clients of IPv4 on an address for both: they are mapped into IPv6", async () => {
    const settings = { "limits.max_sessions_per_address": 1, "server.trusted_proxies": PROXY };
    await using both = await executable.serve({ ...QUICK, ...settings }, ["--host", "::"]);
    expect(await open(both, 3, {})).toEqual([undefined, undefined, undefined]);
    expect(await open(both, 2, { "X-Forwarded-For": "192.0.2.1" }, PROXY)).toEqual([undefined, full]);
  });

  test("applies to loopback once loopback may be a proxy", async () => {
    const settings = { ...LOOPBACK_IS_LIMITED, "limits.max_sessions_per_address": 1 };
    await using limited = await executable.serve({ ...QUICK, ...settings });
    expect(await open(limited, 2, {})).toEqual([undefined, full]);
    expect(await open(limited, 2, { "X-Forwarded-For": "192.0.2.1" })).toEqual([undefined, full]);
  });
});

describe("an address that other machines reach", () => {
  const warned = ({ log }: ServeProcess) => log.filter(({ event }) => event === "open_to_everybody");

  test("is warned of when the server starts, with one process and several, while nobody needs a token", async () => {
    for (const processes of [1, 2]) {
      await using open = await executable.serve({ ...QUICK, "server.processes": processes }, ["--host", "0.0.0.0"]);
      expect(warned(open)).toMatchObject([{ level: "warning", host: "0.0.0.0" }]);
      expect(JSON.stringify(warned(open))).toContain("auth.tokens");
    }
  });

  test("is not warned of on loopback, or when clients need a token", async () => {
    expect(warned(server)).toEqual([]);
    await Bun.write(`${executable.folder}/tokens.txt`, "");
    const tokens = await executable.run(["token", "new", "client", "--file", "tokens.txt"]);
    expect(tokens.code).toBe(0);
    const settings = { ...QUICK, "auth.tokens": "tokens.txt" };
    await using closed = await executable.serve(settings, ["--host", "0.0.0.0"]);
    expect(warned(closed)).toEqual([]);
    const foreign = await exchange(closed, ["GET /api/v1/health HTTP/1.1", "Host: any.example"]);
    expect(foreign.status).toBe(200);
    const use = await exchange(closed, [...(ROUTES["upgrade"] ?? []), "Host: any.example"]);
    expect(use.status).toBe(401);
  });

  test("is protected from DNS rebinding on public routes for streams, also when others need a token", async () => {
    const settings = { ...QUICK, "auth.tokens": "tokens.txt", "auth.public_routes": "/api/v1/segmented" };
    await using open = await executable.serve(settings);
    const status = async (host: string) =>
      (await exchange(open, [...(ROUTES["upgrade"] ?? []), `Host: ${host}`])).status;
    expect(await status("localhost")).toBe(101);
    expect(await status("evil.example")).toBe(403);
  });
});

test("public pages are protected from DNS rebinding, also when others need a token; those that tell nothing answer any Host", async () => {
  const [metrics, info] = ["/metrics", "/api/v1/info"];
  const discreet = ["/", "/api/v1/health", "/api/v1/ready", "/api/v1/docs"];
  const closed = "/api/v1/asyncapi.json";
  const settings = {
    ...QUICK,
    "auth.tokens": "tokens.txt",
    "auth.public_routes": [metrics, info, ...discreet].join(","),
    "server.hosts": "streamer.example",
  };
  await using server = await executable.serve(settings);
  const statusAt = (host: string) => async (path: string) =>
    [path, (await exchange(server, [`GET ${path} HTTP/1.1`, `Host: ${host}`])).status] as const;
  const statuses = (host: string, paths: readonly string[]) => Promise.all(paths.map(statusAt(host)));
  for (const host of ["localhost", "127.0.0.1", "streamer.example"]) {
    const all = [metrics, info, "//metrics/", ...discreet];
    expect(await statuses(host, all)).toEqual(all.map((path) => [path, 200]));
  }
  const hidden = [metrics, info, "//metrics/", "/api/v1/info/"];
  expect(await statuses("evil.example", hidden)).toEqual(hidden.map((path) => [path, 403]));
  expect(await statuses("evil.example", discreet)).toEqual(discreet.map((path) => [path, 200]));
  // A page that needs a token is not for whoever has none, by whatever name.
  expect(await statuses("evil.example", [closed])).toEqual([[closed, 401]]);
  expect(server.err).toContain('"event":"host_refused"');
});

test("several processes go by the same names, and the one that they listen on", async () => {
  const settings = { ...QUICK, "server.processes": 2, "server.hosts": "streamer.example" };
  await using several = await executable.serve(settings, ["--host", "localhost"]);
  const status = async (host: string) =>
    (await exchange(several, ["GET /api/v1/health HTTP/1.1", `Host: ${host}`])).status;
  expect(await status("streamer.example")).toBe(200);
  expect(await status("localhost")).toBe(200);
  expect(await status("evil.example")).toBe(403);
});
