import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Access } from "../../../src/auth/access.ts";
import { formatTokenLine } from "../../../src/auth/token-line.ts";
import { hashToken, newToken } from "../../../src/auth/token.ts";
import { FILE_ROUTES, ROUTES } from "../../../src/dialects/dialects.ts";
import { watch } from "../../../src/dialects/watch/route.ts";
import { ProtocolError } from "../../../src/protocol/errors.ts";
import { type AdminHost, createAdminApp } from "../../../src/server/admin.ts";
import { Edge } from "../../../src/server/edge/edge.ts";
import type { ReloadResult } from "../../../src/server/model-entry.ts";
import { openapi } from "../../../src/server/openapi/openapi.ts";
import { SOCKETS as SOCKET_TEXTS, toTemplate } from "../../../src/server/openapi/socket-operations.ts";
import { guardOperatorPages } from "../../../src/server/page-guard.ts";
import { createApp, type RoutesHost } from "../../../src/server/routes.ts";
import { openLog } from "../../../src/telemetry/log/log.ts";
import { encode, speech, wav } from "../../support/audio.ts";
import { DescribedApi } from "../../support/described-api.ts";
import { configure, InProcessServer, LOOPBACK_IS_LIMITED, type Settings } from "../../support/in-process-server.ts";
import { UpgradeRefused } from "../../support/websocket-client.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const document = openapi("0.0.0");
const api = new DescribedApi(document);
const folder = mkdtempSync(join(tmpdir(), "streamer-openapi-"));
afterAll(() => rmSync(folder, { recursive: true }));

const TOKEN = newToken();
const tokens = join(folder, "tokens");
const hash = hashToken(TOKEN).toString("hex");
writeFileSync(tokens, `${formatTokenLine({ name: "client", hash, admin: false })}\n`, { mode: 0o600 });

const SOCKETS = [...ROUTES, watch].flatMap(({ paths }) => paths);
type Shown = { content?: Record<string, { schema?: object; examples?: Record<string, { value: unknown }> }> };

const ASSETS = api.operations().filter((name) => name.startsWith("GET /console/"));
/** What the parameters of some WebSockets must be. */
const QUERIES: Readonly<Record<string, string>> = {
  "/v1/realtime": "?intent=transcription",
  "/v3/ws": "?sample_rate=16000",
};
const WORDS: Settings = { "model.name": join(import.meta.dir, "../../support/models/words.ts") };
const S16 = { channels: 1, sample_rate: 16_000, bit_depth: 16, is_float: false };
const FILE = wav(S16, encode("s16", speech([0.6])));
const HTML = { accept: "text/html" };

/** The routes for operators, and what they answer. */
function adminApp(host: Partial<AdminHost> = {}, access?: Access, edge?: Edge) {
  const admin: AdminHost = {
    version: "0.0.0",
    unready: () => undefined,
    metrics: async () => ({ contentType: "text/plain; version=0.0.4", body: "" }),
    describe: () => ({ sessions: 0 }),
    reload: async () => [],
    ...host,
  };
  return createAdminApp(admin, guardOperatorPages(access), edge);
}

/** Asks a server, and compares the response. @param name such as `GET /metrics` */
async function ask(server: InProcessServer, name: string, init: RequestInit & { query?: string } = {}) {
  const [method = "", path = ""] = name.split(" ");
  const { query = "", ...options } = init;
  const sent = path.replace("{credential}", "none");
  const response = await server.fetch(sent + query, { method, ...options });
  return { status: response.status, body: await api.check(name, response) };
}

/** Asks for a WebSocket, and compares the refusal. Returns its status, or 101. */
async function connect(server: InProcessServer, path: string, headers: Record<string, string> = {}): Promise<number> {
  try {
    const client = await server.connect({ path: path.replace(":credential", "none") + (QUERIES[path] ?? ""), headers });
    client[Symbol.dispose]();
    return 101;
  } catch (error) {
    if (!(error instanceof UpgradeRefused)) throw error;
    const { status, body, headers: sent } = error;
    await api.check(`GET ${toTemplate(path)}`, new Response(body, { status, headers: sent }));
    return status;
  }
}

function form(fields: Readonly<Record<string, string>> = {}, file: Buffer = FILE): RequestInit {
  const body = new FormData();
  for (const [name, value] of Object.entries(fields)) body.append(name, value);
  body.append("file", new File([new Uint8Array(file)], "audio.wav"));
  return { body };
}

const raw = (file: Buffer = FILE): RequestInit => ({ body: new Uint8Array(file) });

describe("the OpenAPI document", () => {
  test("has every route of the server and of the address for operators, and no other", () => {
    const log = openLog({ level: "error", write: () => undefined });
    const config = configure();
    using access = new Access({ auth: config.auth, log });
    const edge = new Edge({ server: config.server, log, clock: () => 0 });
    const app = createApp({ edge, access, config } as unknown as RoutesHost, [...ROUTES, watch], FILE_ROUTES);
    const routes = [...app.routes, ...adminApp().routes]
      // Those of all methods only refuse.
      .filter(({ method }) => method !== "ALL" && method !== "OPTIONS")
      .map(({ method, path }) => `${method} ${toTemplate(path)}`);
    expect(api.operations().sort()).toEqual([...new Set(routes)].sort());
  });

  test("has a text about each dialect", () => {
    expect([...ROUTES, watch].map(({ dialect }) => dialect).filter((dialect) => !(dialect in SOCKET_TEXTS))).toEqual(
      [],
    );
  });

  test("refers to what is there, and names each operation once", () => {
    const text = JSON.stringify(document);
    const missing = [...text.matchAll(/"#\/([^"]+)"/g)]
      .map(([, path = ""]) => path)
      .filter((path) => path.split("/").reduce<unknown>((at, key) => (at as never)?.[key], document) === undefined);
    expect(missing).toEqual([]);
    const ids = [...text.matchAll(/"operationId":"([^"]+)"/g)].map(([, id]) => id);
    expect(ids).toHaveLength(new Set(ids).size);
    expect(JSON.parse(text)).toEqual(document);
  });

  test("has examples that are as described", () => {
    const { paths } = document as { paths: Record<string, Record<string, { responses?: Record<string, Shown> }>> };
    const media = Object.values(paths).flatMap((item) =>
      Object.values(item).flatMap(({ responses = {} }) =>
        Object.values(responses).flatMap(({ content = {} }) => Object.values(content)),
      ),
    );
    let examples = 0;
    for (const { schema, examples: shown = {} } of media) {
      for (const { value } of Object.values(shown)) {
        api.validateAs(schema ?? {}, value);
        examples += 1;
      }
    }
    expect(examples).toBeGreaterThan(5);
  });

  test("explains every field of every body", () => {
    const { schemas } = document["components"] as { schemas: Record<string, { properties?: Record<string, object> }> };
    const unexplained = Object.entries(schemas).flatMap(([name, { properties = {} }]) =>
      Object.entries(properties)
        .filter(([, field]) => !("description" in field) && !("$ref" in field))
        .map(([field]) => `${name}.${field}`),
    );
    expect(unexplained).toEqual([]);
  });
});

describe("responses are as described:", () => {
  test("of pages", async () => {
    await using server = await InProcessServer.start(WORDS);
    for (const name of api.operations().filter((each) => each.startsWith("GET /api/v1/") || each === "GET /metrics")) {
      if (SOCKETS.some((path) => name === `GET ${path}`)) continue;
      expect([name, (await ask(server, name)).status]).toEqual([name, 200]);
      expect([name, (await ask(server, name, { headers: { Host: "evil.example" } })).status]).toEqual([name, 403]);
      expect([name, (await ask(server, name, { headers: { Host: "a b" } })).status]).toEqual([name, 400]);
      for (const method of ["PUT", "DELETE"]) {
        const { status, headers } = await server.fetch(name.slice(4), { method });
        expect([name, status, headers.get("allow")]).toEqual([name, 405, "GET, HEAD, OPTIONS"]);
      }
    }
    for (const headers of [{}, HTML]) expect((await ask(server, "GET /", { headers })).status).toBe(200);
    for (const name of [...ASSETS, "GET /api/v1/docs", "GET /"]) {
      const { headers } = await server.fetch(name.slice(4), { headers: HTML });
      const etag = headers.get("etag") ?? "";
      expect([name, (await ask(server, name, { headers: { ...HTML, "if-none-match": etag } })).status]).toEqual([
        name,
        304,
      ]);
      expect([name, (await ask(server, name)).status]).toEqual([name, 200]);
      expect((await ask(server, name, { headers: { Host: "evil.example" } })).status).toBe(403);
      expect((await ask(server, name, { headers: { Host: "a b" } })).status).toBe(400);
    }
    expect((await ask(server, "GET /metrics", { headers: { accept: "application/openmetrics-text" } })).status).toBe(
      200,
    );
    const behindSlash = await server.fetch("/api/v1/docs/", { redirect: "manual" });
    await api.check("GET /api/v1/docs", behindSlash);
    expect([behindSlash.status, behindSlash.headers.get("location")]).toEqual([308, "../docs"]);
    expect((await server.fetch("/api/v1/docs/")).url).toBe(`${server.url}/api/v1/docs`);
    const document = (await server.fetch("/api/v1/openapi.json")).json();
    expect(await document).toEqual(openapi("0.0.0"));
  });

  test("of tickets, and of a server with tokens", async () => {
    await using open = await InProcessServer.start();
    const ticket = "POST /api/v1/tickets";
    expect((await ask(open, ticket)).status).toBe(200);
    expect((await ask(open, ticket, { headers: { Host: "a b" } })).status).toBe(400);
    expect((await ask(open, ticket, raw(Buffer.alloc(1024 * 1024 + 1)))).status).toBe(413);
    const evil = { headers: { Origin: "https://evil.example" } };
    for (const name of api.operations().filter((each) => /^POST \/(?:v1|api\/v1\/tickets)/.test(each))) {
      expect([name, (await ask(open, name, { ...evil, ...raw() })).status]).toEqual([name, 403]);
    }
    await using server = await InProcessServer.start({ "auth.tokens": tokens });
    const isPublic = /^GET \/(?:api\/v1\/(?:health|ready|docs)|console\/.*)?$/;
    for (const name of api.operations().filter((each) => each !== "POST /api/v1/reload")) {
      if (SOCKETS.some((path) => name === `GET ${toTemplate(path)}` && path !== "/")) continue;
      const { status } = await ask(server, name, name.startsWith("POST") ? raw() : {});
      expect([name, status]).toEqual([name, isPublic.test(name) ? 200 : 401]);
    }
    const headers = { Authorization: `Bearer ${TOKEN}` };
    expect((await ask(server, "POST /api/v1/tickets", { headers })).status).toBe(200);
    for (const path of SOCKETS) expect([path, await connect(server, path)]).toEqual([path, 401]);
  });

  test("of WebSockets", async () => {
    await using server = await InProcessServer.start(WORDS);
    for (const path of SOCKETS) {
      const isFront = path === "/";
      expect([path, await connect(server, path, { Host: "a b" })]).toEqual([path, 400]);
      expect([path, await connect(server, path, { Host: "evil.example" })]).toEqual([path, 403]);
      expect([path, await connect(server, path, { Origin: "https://evil.example" })]).toEqual([path, 403]);
      if (!isFront) expect([path, await connect(server, path, { Upgrade: "h2c" })]).toEqual([path, 426]);
      expect([path, await connect(server, path, { "Content-Length": "3" })]).toEqual([path, 400]);
    }
    await using loading = await InProcessServer.start(WORDS, { load: false });
    expect((await ask(loading, "GET /api/v1/ready")).status).toBe(503);
    for (const path of SOCKETS) expect([path, await connect(loading, path)]).toEqual([path, 503]);
    for (const path of ["/v1/listen", "/v1/audio/transcriptions"]) {
      expect((await ask(loading, `POST ${path}`, path === "/v1/listen" ? raw() : form())).status).toBe(503);
    }
    await loading.load();
  });

  test("of clients with too many sessions", async () => {
    await using server = await InProcessServer.start({ ...LOOPBACK_IS_LIMITED, "limits.max_sessions_per_address": 1 });
    using _held = await server.connect();
    for (const path of SOCKETS) expect([path, await connect(server, path)]).toEqual([path, 429]);
    expect((await ask(server, "POST /v1/listen", raw())).status).toBe(429);
    expect((await ask(server, "POST /v1/audio/transcriptions", form())).status).toBe(429);
  });

  test("of files", async () => {
    await using server = await InProcessServer.start({ ...WORDS, "limits.file_mb": 1 });
    const [openai, deepgram] = ["POST /v1/audio/transcriptions", "POST /v1/listen"];
    for (const response_format of ["json", "text", "srt", "verbose_json", "vtt"]) {
      const fields = { response_format, "timestamp_granularities[]": "word" };
      expect([response_format, (await ask(server, openai, form(fields))).status]).toEqual([response_format, 200]);
    }
    const { body } = await ask(server, openai, form({ stream: "true" }));
    const events = [...String(body).matchAll(/^data: (.*)$/gm)].map(([, data = ""]) => JSON.parse(data) as unknown);
    expect(events.length).toBeGreaterThan(1);
    for (const event of events) api.validate("TranscriptionEvent", event);
    expect((await ask(server, deepgram, { ...raw(), query: "?utterances=true&multichannel=true" })).status).toBe(200);
    const large = Buffer.alloc(2 * 1024 * 1024);
    expect((await ask(server, openai, form({ temperature: "9" }))).status).toBe(400);
    expect((await ask(server, deepgram, { ...raw(), query: "?callback=x" })).status).toBe(400);
    expect((await ask(server, deepgram, { ...raw(), headers: { Host: "a b" } })).status).toBe(400);
    expect((await ask(server, openai, { ...form(), headers: { Host: "a b" } })).status).toBe(400);
    expect((await ask(server, openai, form({}, large))).status).toBe(413);
    expect((await ask(server, deepgram, raw(large))).status).toBe(413);
    expect((await ask(server, openai, form({}, Buffer.from("fLaC1234")))).status).toBe(415);
    expect((await ask(server, deepgram, raw(Buffer.from("fLaC1234")))).status).toBe(415);
    await using strict = await InProcessServer.start({ ...WORDS, "dialects.strict_models": "on" });
    expect((await ask(strict, openai, form({ model: "no" }))).status).toBe(404);
    expect((await ask(strict, deepgram, { ...raw(), query: "?model=no" })).status).toBe(400);
  });

  test("of routes that only operators have", async () => {
    const pages = ["/api/v1/health", "/api/v1/ready", "/api/v1/info", "/metrics", "/api/v1/docs"];
    const documents = ["/api/v1/asyncapi.json", "/api/v1/openapi.json"];
    const settings = { "server.admin": "unix:a", "server.admin_only": ["/", ...pages, ...documents].join(",") };
    await using server = await InProcessServer.start(settings);
    for (const path of ["/", ...pages, ...documents]) {
      expect([path, (await ask(server, `GET ${path}`)).status]).toEqual([path, 404]);
    }
    for (const name of ASSETS) expect((await ask(server, name)).status).toBe(404);
  });

  test("of the address for operators", async () => {
    let results: ReloadResult["result"][] = [];
    const app = adminApp({
      reload: async (model) => {
        if (model === "no") throw new ProtocolError("unknown_model", "no");
        if (model === "gone") throw new ProtocolError("draining", "the server is shutting down");
        return results.map((result) => ({ model: "m", result, generation: 2, load_ms: 1.5, earlier: [] }));
      },
    });
    const post = async (query = "", at = app, origin?: string): Promise<number> => {
      const request = new Request(`http://localhost/api/v1/reload${query}`, { method: "POST" });
      const visit = { address: "", host: { host: "localhost", port: "" }, origin, tls: false, isLocal: true };
      const response = await at.fetch(request, { visit });
      await api.check("POST /api/v1/reload", response);
      return response.status;
    };
    for (const [status, result] of [
      [200, "loaded"],
      [409, "refused"],
      [422, "failed"],
    ] as const) {
      results = [result];
      expect(await post()).toBe(status);
    }
    expect([await post("?model=no"), await post("?model=gone"), await post("?other=1")]).toEqual([400, 503, 400]);
    const log = openLog({ level: "error", write: () => undefined });
    using access = new Access({ auth: { tokens, secret_file: "none" }, log });
    const edge = new Edge({ server: configure().server, forOperators: true, log, clock: () => 0 });
    const guarded = adminApp({}, access, edge);
    expect([await post("", guarded), await post("", guarded, "https://evil.example")]).toEqual([401, 403]);
  });

  test("those that take time or a fault, and accepted WebSockets, are all that these tests have not seen", () => {
    const unseen = api.documented().filter((response) => !api.seen.has(response) && !/ (?:500|101)$/.test(response));
    const slow = ["408", "504"].flatMap((status) => [`createTranscription ${status}`, `listenToFile ${status}`]);
    expect(unseen.sort()).toEqual(slow.sort());
  });
});
