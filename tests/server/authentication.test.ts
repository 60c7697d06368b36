import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { formatTokenLine } from "../../src/auth/token-line.ts";
import { hashToken, newToken } from "../../src/auth/token.ts";
import { encode, noise } from "../support/audio.ts";
import { InProcessServer, type Settings } from "../support/in-process-server.ts";
import { ledgerProblems, onlyStream } from "../support/ledgers.ts";
import { S16_MONO } from "../support/requests.ts";
import { type ConnectOptions, UpgradeRefused } from "../support/websocket-client.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const [TOKEN, OTHER, ADMIN] = [newToken(), newToken(), newToken()];
const AUDIO = encode("s16", noise(0.8));

let folder: string;
let file: string;

const line = (name: string, token: string, rest = {}) => {
  return formatTokenLine({ name, hash: hashToken(token).toString("hex"), admin: false, ...rest });
};

async function writeTokens(...lines: readonly string[]): Promise<void> {
  await writeFile(file, `${lines.join("\n")}\n`, { mode: 0o600 });
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "streamer-authentication-"));
  file = join(folder, "tokens");
  await writeTokens(line("client", TOKEN), line("ops", ADMIN, { admin: true }));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const start = (settings: Settings = {}) => InProcessServer.start({ "auth.tokens": file, ...settings });
const offering = (protocols: readonly string[]) => ({ headers: { "Sec-WebSocket-Protocol": protocols.join(", ") } });
const bearer = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } });

/** Returns status, body and WWW-Authenticate of a refused handshake, or undefined when it is accepted. */
async function refusal(server: InProcessServer, options: ConnectOptions = {}) {
  try {
    await server.connect(options);
    return undefined;
  } catch (error) {
    if (!(error instanceof UpgradeRefused)) throw error;
    return [error.status, JSON.parse(error.body) as Record<string, unknown>] as const;
  }
}

async function ticketOf(server: InProcessServer, token = TOKEN): Promise<string> {
  const response = await server.fetch("/api/v1/tickets", { method: "POST", ...bearer(token) });
  expect([response.status, response.headers.get("cache-control")]).toEqual([200, "no-store"]);
  const { ticket, expires_in_ms } = (await response.json()) as { ticket: string; expires_in_ms: number };
  expect(expires_in_ms).toBe(30_000);
  return ticket;
}

const UNAUTHORIZED = {
  type: "error",
  code: "unauthorized",
  message: "found no valid token; allowed: Authorization: Bearer TOKEN, or a ticket",
  fatal: true,
  retryable: false,
};

describe("a server with tokens", () => {
  test("accepts a connection with a token, and refuses others before the upgrade in the same words", async () => {
    await using server = await start();
    expect(await refusal(server, bearer(TOKEN))).toBeUndefined();
    const used = await ticketOf(server);
    expect(await refusal(server, offering(["streamer.v1", `ticket.${used}`]))).toBeUndefined();
    const wrong: ConnectOptions[] = [
      {},
      bearer(OTHER),
      bearer(ADMIN),
      { headers: { Authorization: `Basic ${btoa(`client:${TOKEN}`)}` } },
      { path: `/api/v1/segmented?token=${TOKEN}` },
      { path: `/api/v1/segmented?ticket=${used}` },
      offering(["streamer.v1", `ticket.${used}`]),
      offering(["streamer.v1", "ticket.x"]),
    ];
    for (const options of wrong) expect(await refusal(server, options)).toEqual([401, UNAUTHORIZED]);
    expect(JSON.stringify(server.log)).not.toMatch(new RegExp([TOKEN, OTHER, ADMIN, used].join("|")));
  });

  test("answers 401 with WWW-Authenticate: Bearer", async () => {
    await using server = await start();
    for (const [path, method] of [
      ["/metrics", "GET"],
      ["/api/v1/tickets", "POST"],
    ] as const) {
      const response = await server.fetch(path, { method });
      expect([response.status, response.headers.get("www-authenticate")]).toEqual([401, "Bearer"]);
      expect(await response.json()).toEqual(UNAUTHORIZED);
    }
  });

  test("counts sessions by the principal, whatever token, ticket or address they come with", async () => {
    const second = newToken();
    await writeTokens(
      line("client", TOKEN, { sessions: 2 }),
      line("client", second, { sessions: 2 }),
      line("other", OTHER),
    );
    await using server = await start();
    const ticket = await ticketOf(server);
    expect(await refusal(server, bearer(TOKEN))).toBeUndefined();
    expect(await refusal(server, { path: `/api/v1/simple?ticket=${ticket}` })).toBeUndefined();
    expect(await refusal(server, bearer(second))).toEqual([
      429,
      expect.objectContaining({ code: "too_many_sessions", message: "you have 2 sessions; allowed: 2" }),
    ]);
    expect(await refusal(server, bearer(OTHER))).toBeUndefined();
    const callers = server.log.filter(({ event }) => event === "session_opened").map(({ caller }) => caller);
    expect(callers).toEqual(["client", "client", "other"]);
  });

  test("limits channels and models by the principal, and names the limits", async () => {
    await writeTokens(line("client", TOKEN, { channels: 1, models: ["other"] }));
    await using server = await start({ "models.other.name": "levels" });
    const client = await server.connect({ path: "/api/v1/simple", ...bearer(TOKEN) });
    client.start({ format: { ...S16_MONO, channels: 2 } });
    expect(await client.nextEvent("error")).toMatchObject({
      code: "unsupported_format",
      param: "format.channels",
      message: "format.channels: found 2; allowed: at most 1, which is your limit",
      fatal: false,
    });
    client.start({ model: "simulated" });
    expect(await client.nextEvent("error")).toMatchObject({
      code: "unknown_model",
      param: "model",
      message: 'model: found "simulated"; allowed: other',
    });
    client.start();
    expect(await client.nextEvent("started")).toMatchObject({ model: "other", limits: { max_channels: 1 } });
  });

  test("refuses every start of a principal whose models the server does not have", async () => {
    await writeTokens(line("client", TOKEN, { models: ["none"] }));
    await using server = await start();
    const client = await server.connect(bearer(TOKEN));
    client.start();
    expect(await client.nextEvent("error")).toMatchObject({
      code: "unknown_model",
      message: "model: found nothing; allowed: no model of this server",
    });
  });

  test("ends the sessions of a token that is removed, after their open streams, and leaves the others", async () => {
    await writeTokens(line("client", TOKEN), line("other", OTHER));
    await using server = await start();
    const ticket = await ticketOf(server);
    const idle = await server.connect(bearer(TOKEN));
    const ticketed = await server.connect({ path: `/api/v1/simple?ticket=${ticket}` });
    const client = await server.connect({ path: "/api/v1/simple", ...bearer(TOKEN) });
    const other = await server.connect({ path: "/api/v1/simple", ...bearer(OTHER) });
    for (const each of [client, other, ticketed]) {
      each.start();
      await each.nextEvent("started");
    }
    await client.sendAudio(AUDIO);
    await writeTokens(line("other", OTHER));
    for (const each of [client, ticketed, idle]) {
      await each.waitForClose();
      expect(each.closed).toEqual({ code: 1008, reason: "unauthorized" });
    }
    const stream = onlyStream(client.events);
    expect(stream.stopped).toMatchObject({ reason: "limit" });
    expect(ledgerProblems(stream, { bytes: AUDIO.length, frameBytes: 2 })).toEqual([]);
    expect(client.events.at(-2)).toMatchObject({
      type: "error",
      code: "unauthorized",
      message: "the token of this session is not valid any more",
      fatal: true,
    });
    const callers = server.log.filter(({ event }) => event === "stream_stopped").map(({ caller }) => caller);
    expect(callers).toEqual(["client", "client"]);
    expect(await refusal(server, bearer(TOKEN))).toEqual([401, UNAUTHORIZED]);
    await other.sendAudio(AUDIO);
    other.stop();
    expect(await other.nextEvent("stopped")).toMatchObject({ reason: "stop" });
  });

  test("accepts a token that is added while it runs", async () => {
    await using server = await start();
    expect(await refusal(server, bearer(OTHER))).toEqual([401, UNAUTHORIZED]);
    await writeTokens(line("client", TOKEN), line("new", OTHER));
    while ((await refusal(server, bearer(OTHER))) !== undefined) await Bun.sleep(50);
    expect(server.log.find(({ event }) => event === "token_file_loaded")).toMatchObject({
      valid: 2,
      added: 1,
      removed: 1,
    });
  });

  test("keeps its tokens and their sessions when the file is deleted or broken", async () => {
    await using server = await start();
    const client = await server.connect(bearer(TOKEN));
    await writeFile(file, "broken\n");
    while (!server.log.some(({ event }) => event === "token_file_refused")) await Bun.sleep(50);
    expect(await refusal(server, bearer(TOKEN))).toBeUndefined();
    expect(client.closed).toBeUndefined();
  });
});

describe("routes of a server with tokens", () => {
  const PROTECTED = ["/api/v1/info", "/metrics", "/api/v1/asyncapi.json", "/api/v1/openapi.json"];

  test("are public for health checks and the front page; the others need a token, that of an operator included", async () => {
    await using server = await start();
    for (const path of ["/", "/api/v1/health", "/api/v1/ready", "/api/v1/docs"]) {
      expect([path, (await server.fetch(path)).status]).toEqual([path, 200]);
    }
    for (const path of PROTECTED) {
      for (const method of ["GET", "HEAD"]) expect((await server.fetch(path, { method })).status).toBe(401);
      for (const spelt of [`/${path}`, `${path}/`, path.replace("e", "%65")]) {
        expect((await server.fetch(spelt)).status).toBeOneOf([401, 404]);
      }
      expect((await server.fetch(path, bearer(OTHER))).status).toBe(401);
      for (const token of [TOKEN, ADMIN]) expect((await server.fetch(path, bearer(token))).status).toBe(200);
    }
  });

  test("are those of auth.public_routes, streams included, whose clients are known by address", async () => {
    await using server = await start({
      "auth.public_routes": "/metrics,/api/v1/simple",
      "limits.max_sessions_per_address": 1,
    });
    const statuses = ["/metrics", "/", "/api/v1/health"].map(async (path) => (await server.fetch(path)).status);
    expect(await Promise.all(statuses)).toEqual([200, 401, 401]);
    expect(await refusal(server, { path: "/api/v1/segmented" })).toEqual([401, UNAUTHORIZED]);
    expect(await refusal(server, { path: "/api/v1/simple", ...bearer(TOKEN) })).toBeUndefined();
    expect(await refusal(server, { path: "/api/v1/simple" })).toBeUndefined();
    expect(await refusal(server, { path: "/api/v1/segmented", ...bearer(TOKEN) })).toBeUndefined();
    const callers = server.log.filter(({ event }) => event === "session_opened").map(({ caller }) => caller);
    expect(callers).toEqual(["client", expect.stringContaining("127.0.0.1"), "client"]);
  });

  test("that only the address for operators has are not found, with or without a token", async () => {
    await using server = await start({ "server.admin": "127.0.0.1:0", "server.admin_only": "/metrics,/api/v1/health" });
    for (const path of ["/metrics", "/api/v1/health"]) {
      const response = await server.fetch(path, bearer(TOKEN));
      expect([response.status, await response.text()]).toEqual([404, "This page is at server.admin only.\n"]);
    }
    expect((await server.fetch("/api/v1/ready")).status).toBe(200);
  });
});

describe("tickets", () => {
  test("are for a connection each, as a subprotocol or in the query, and streamer.v1 is what is selected", async () => {
    await using server = await start();
    const [one, two] = [await ticketOf(server), await ticketOf(server)];
    const client = await server.connect(offering([`ticket.${one}`, "streamer.v1"]));
    expect(client.headers.get("sec-websocket-protocol")).toBe("streamer.v1");
    expect(await refusal(server, { path: `/api/v1/segmented?ticket=${one}` })).toEqual([401, UNAUTHORIZED]);
    const second = await server.connect({ path: `/api/v1/segmented?ticket=${two}` });
    expect(second.headers.get("sec-websocket-protocol")).toBeNull();
  });

  test("alone as a subprotocol are refused without being shown: none would be left to select", async () => {
    await using server = await start();
    const ticket = await ticketOf(server);
    const [status, body] = (await refusal(server, offering([`ticket.${ticket}`]))) ?? [];
    expect([status, body?.["message"]]).toEqual([
      400,
      "Sec-WebSocket-Protocol: found only others; allowed: streamer.v1, or none",
    ]);
    expect(await refusal(server, offering(["streamer.v1", `ticket.${ticket}`]))).toBeUndefined();
  });

  test("are issued for the token of a client only, to a POST only", async () => {
    await using server = await start();
    for (const token of [OTHER, ADMIN]) {
      expect((await server.fetch("/api/v1/tickets", { method: "POST", ...bearer(token) })).status).toBe(401);
    }
    const get = await server.fetch("/api/v1/tickets", bearer(TOKEN));
    expect([get.status, get.headers.get("allow")]).toEqual([405, "POST, OPTIONS"]);
  });
});

describe("a server without tokens", () => {
  test("ignores an Authorization header and a ticket, and issues tickets, so that clients need not know", async () => {
    await using server = await InProcessServer.start();
    for (const options of [bearer(OTHER), offering(["streamer.v1", "ticket.x"]), { path: "/api/v1/simple?ticket=x" }]) {
      expect(await refusal(server, options)).toBeUndefined();
    }
    await ticketOf(server, OTHER);
    for (const path of ["/metrics", "/api/v1/info"]) expect((await server.fetch(path)).status).toBe(200);
  });
});
