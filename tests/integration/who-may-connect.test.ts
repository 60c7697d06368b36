import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";

import { Authority } from "../support/certificates.ts";
import { type ServeProcess, sharedExecutable } from "../support/executable.ts";
import { type Answer, exchange } from "../support/http-exchange.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

/** A ticket is valid for 30 s. */
const EXPIRED_MS = 31_000;
/** Source addresses of requests: a program of the machine, and a proxy. */
const DIRECT = "127.0.0.1";
const PROXY = "127.0.0.7";

const UPGRADE = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"];
const KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";

/** What a route is, for whoever asks. */
interface Kind {
  readonly request: string;
  /** Status for whoever may. */
  readonly good: number;
  /** Nobody needs a token. */
  readonly isPublic?: boolean;
  /** It opens or changes something, so that the origin counts. */
  readonly isUse?: boolean;
  /** It takes tickets. */
  readonly takesTickets?: boolean;
}

const stream = (name: string): Kind => ({
  request: `GET /api/v1/${name}`,
  good: 101,
  isUse: true,
  takesTickets: true,
});
const page = (path: string, isPublic = false): Kind => ({ request: `GET ${path}`, good: 200, isPublic });

const ROUTES: readonly Kind[] = [
  stream("segmented"),
  stream("stateful"),
  { ...stream("simple"), isPublic: true },
  { request: "POST /api/v1/tickets", good: 200, isUse: true },
  page("/", true),
  page("/api/v1/health", true),
  page("/api/v1/ready", true),
  page("/api/v1/info"),
  page("/api/v1/docs", true),
  page("/api/v1/asyncapi.json"),
  page("/api/v1/openapi.json"),
  page("/metrics"),
  { request: "GET /nothing", good: 404, isPublic: true },
];
const PUBLIC = ["/", "/api/v1/health", "/api/v1/ready", "/api/v1/docs", "/api/v1/simple"];

const CREDENTIALS = [
  "no token",
  "a wrong token",
  "a cut token",
  "another scheme",
  "the token of an operator",
  "a used ticket",
  "a made-up ticket",
  "a right ticket",
  "a right token",
  // Last, because the others are tried while it gets old.
  "an expired ticket",
] as const;
type Credential = (typeof CREDENTIALS)[number];

const ORIGINS = {
  "no origin": undefined,
  "its own origin": "own",
  "a foreign origin": "https://evil.example",
  "a page without origin": "null",
} as const;
type Origin = keyof typeof ORIGINS;

/** How a request comes, and what it says about that. */
const WAYS = {
  direct: { from: DIRECT, host: "localhost:8080", own: "http://localhost:3000", headers: [] },
  "by a trusted proxy": {
    from: PROXY,
    host: "127.0.0.1",
    own: "https://streamer.example",
    headers: ["X-Forwarded-For: 203.0.113.9", "X-Forwarded-Host: streamer.example", "X-Forwarded-Proto: https"],
  },
  "with spoofed headers of a proxy": {
    from: DIRECT,
    host: "localhost:8080",
    own: "http://localhost:3000",
    headers: ["X-Forwarded-For: 127.0.0.1", "X-Forwarded-Host: evil.example", "X-Forwarded-Proto: https"],
  },
} as const;
type Way = keyof typeof WAYS;

const executable = await sharedExecutable();
const file = join(executable.folder, "tokens.txt");

async function newToken(name: string, ...flags: readonly string[]): Promise<string> {
  return (await executable.run(["token", "new", name, "--file", file, ...flags])).out.trim();
}

const token = await newToken("client");
const operator = await newToken("operator", "--admin");
const SETTINGS = {
  "model.workers": 1,
  "auth.tokens": file,
  "auth.public_routes": PUBLIC.join(","),
  "server.hosts": "streamer.example",
  "server.trusted_proxies": PROXY,
};

const authority = await Authority.create();
const { cert, key } = await authority.issue();
const [certFile, keyFile] = [join(executable.folder, "server.crt"), join(executable.folder, "server.key")];
await Bun.write(certFile, cert);
await Bun.write(keyFile, key);
const TLS = { "server.tls_cert": certFile, "server.tls_key": keyFile };

/** A server, and the tickets that get old while others are tried. */
interface Place {
  readonly server: ServeProcess;
  readonly expired: string;
  readonly issuedAt: number;
  used: string;
}

async function openPlace(settings: Readonly<Record<string, string>>): Promise<Place> {
  const server = await executable.serve({ ...SETTINGS, ...settings });
  return { server, expired: await issueTicket(server), issuedAt: performance.now(), used: "" };
}

async function issueTicket({ url }: ServeProcess): Promise<string> {
  const response = await fetch(`${url}/api/v1/tickets`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}` },
    tls: { ca: authority.cert },
  });
  return ((await response.json()) as { ticket: string }).ticket;
}

const PLACES = { http: await openPlace({}), https: await openPlace(TLS) };

/** What a request has to show the credential: a header, which for tickets are only those of handshakes. */
async function shown(credential: Credential, { server, expired, used }: Place): Promise<string[]> {
  const ticket = (value: string): string[] => [`Sec-WebSocket-Protocol: streamer.v1, ticket.${value}`];
  switch (credential) {
    case "no token":
      return [];
    case "a wrong token":
      return [`Authorization: Bearer ${"A".repeat(token.length)}`];
    case "a cut token":
      return [`Authorization: Bearer ${token.slice(0, -1)}`];
    case "another scheme":
      return [`Authorization: Basic ${btoa(`client:${token}`)}`];
    case "the token of an operator":
      return [`Authorization: Bearer ${operator}`];
    case "an expired ticket":
      return ticket(expired);
    case "a used ticket":
      return ticket(used);
    case "a made-up ticket":
      return ticket("A".repeat(expired.length));
    case "a right ticket":
      return ticket(await issueTicket(server));
    case "a right token":
      return [`Authorization: Bearer ${token}`];
  }
}

async function ask(
  place: Place,
  [route, credential, origin, way]: readonly [Kind, Credential, Origin, Way],
): Promise<Answer> {
  const { from, host, own, headers } = WAYS[way];
  const value = ORIGINS[origin];
  const lines = [
    `${route.request} HTTP/1.1`,
    `Host: ${host}`,
    ...(route.good === 101 ? [...UPGRADE, KEY] : []),
    ...(route.request.startsWith("POST") ? ["Content-Length: 0"] : []),
    ...(value === undefined ? [] : [`Origin: ${value === "own" ? own : value}`]),
    ...(await shown(credential, place)),
    ...headers,
  ];
  return await exchange(place.server, lines, { from, ca: authority.cert });
}

/** The status by the rules of docs/protocol.md and docs/authentication.md. */
function allowed(route: Kind, credential: Credential, origin: Origin): number {
  const isForeign = origin === "a foreign origin" || origin === "a page without origin";
  if (route.isUse === true && isForeign) return 403;
  if (route.isPublic === true || credential === "a right token") return route.good;
  if (credential === "a right ticket") return route.takesTickets === true ? route.good : 401;
  // An operator may read, and opens no sessions.
  if (credential === "the token of an operator") return route.isUse === true ? 401 : route.good;
  return 401;
}

describe.each(["http", "https"] as const)("who may connect over %s", (scheme) => {
  const place = PLACES[scheme];
  const refusals = new Map<string, Set<string>>();

  for (const credential of CREDENTIALS) {
    test(`whoever shows ${credential}, on every route, from every origin, in every way`, async () => {
      if (credential === "an expired ticket")
        await Bun.sleep(Math.max(0, place.issuedAt + EXPIRED_MS - performance.now()));
      if (credential === "a used ticket") {
        place.used = await issueTicket(place.server);
        const [segmented] = ROUTES;
        expect((await ask(place, [segmented!, credential, "no origin", "direct"])).status).toBe(101);
      }
      const problems: string[] = [];
      for (const route of ROUTES) {
        for (const origin of Object.keys(ORIGINS) as Origin[]) {
          for (const way of Object.keys(WAYS) as Way[]) {
            const answer = await ask(place, [route, credential, origin, way]);
            const wanted = allowed(route, credential, origin);
            if (answer.status !== wanted) {
              problems.push(`${route.request} ${origin}, ${way}: ${answer.status} instead of ${wanted} ${answer.body}`);
            }
            if (answer.status !== 401) continue;
            const words = refusals.get(route.request) ?? new Set();
            refusals.set(route.request, words.add(`${answer.headers.get("www-authenticate")} ${answer.body}`));
          }
        }
      }
      expect(problems).toEqual([]);
    });
  }

  test("a refusal has the same words on a route, whatever was wrong", () => {
    const routes = ROUTES.filter(({ isPublic }) => isPublic !== true).map(({ request }) => request);
    expect([...refusals.keys()].sort()).toEqual(routes.sort());
    for (const words of refusals.values()) expect(words.size).toBe(1);
  });

  test("a page that its own server is said to be by a spoofed header is foreign", async () => {
    const lines = ["POST /api/v1/tickets HTTP/1.1", "Host: localhost", "Content-Length: 0"];
    const spoofed = [...lines, `Authorization: Bearer ${token}`, "Origin: https://evil.example"];
    expect(
      (await exchange(place.server, [...spoofed, "X-Forwarded-Host: evil.example"], { ca: authority.cert })).status,
    ).toBe(403);
    expect(
      (
        await exchange(place.server, [...spoofed, 'Forwarded: for=127.0.0.1;host="evil.example"'], {
          ca: authority.cert,
        })
      ).status,
    ).toBe(403);
  });

  test("nobody who was refused had a session", async () => {
    const metrics = await (
      await fetch(`${place.server.url}/metrics`, {
        headers: { authorization: `Bearer ${token}` },
        tls: { ca: authority.cert },
      })
    ).text();
    const opened = [...metrics.matchAll(/^streamer_sessions_opened_total\{.*\} (\d+)$/gm)];
    const sum = opened.reduce((all, [, count]) => all + Number(count), 0);
    // Each stream route, for whoever may.
    const streams = ROUTES.filter(({ good }) => good === 101);
    const ways = Object.keys(WAYS).length;
    const wanted = CREDENTIALS.flatMap((credential) =>
      streams.flatMap((route) =>
        (Object.keys(ORIGINS) as Origin[]).filter((origin) => allowed(route, credential, origin) === 101),
      ),
    );
    // And the one that used the ticket.
    expect(sum).toBe(wanted.length * ways + 1);
  });
});

afterAll(async () => {
  for (const { server } of Object.values(PLACES)) await server[Symbol.asyncDispose]();
});
