import { describe, expect, setDefaultTimeout, spyOn, test } from "bun:test";

import { SAMPLE_FORMAT_NAMES } from "../../src/lib/sample-format.ts";
import { PATTERNS } from "../../src/pipeline/patterns.ts";
import { InProcessServer, LOOPBACK_IS_LIMITED, type Settings, sharedServer } from "../support/in-process-server.ts";
import { type ConnectOptions, UpgradeRefused } from "../support/websocket-client.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const shared = await sharedServer();

/** Returns the response to a refused handshake: its status, the error in its body, and its headers. */
async function refusal(
  server: InProcessServer,
  options: ConnectOptions,
): Promise<{ status: number; error: Record<string, unknown>; headers: Headers }> {
  try {
    await server.connect(options);
  } catch (error) {
    if (!(error instanceof UpgradeRefused)) throw error;
    return { status: error.status, error: JSON.parse(error.body) as Record<string, unknown>, headers: error.headers };
  }
  throw new Error("the handshake was accepted");
}

/** Sends these bytes to the shared server and returns the status of the response. */
async function statusOf(request: string): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const socket = await Bun.connect({
    hostname: "localhost",
    port: shared.port,
    socket: {
      open: (opened) => void opened.write(request),
      data: (_, bytes) => resolve(Number(bytes.toString("latin1").split(" ")[1])),
      close: () => reject(new Error("closed without a response")),
    },
  });
  return await promise.finally(() => socket.end());
}

describe("routes", () => {
  test("health and ready respond with 200", async () => {
    const health = await shared.fetch("/api/v1/health");
    expect([health.status, await health.json()]).toEqual([200, { status: "healthy" }]);
    expect((await shared.fetch("/api/v1/ready")).status).toBe(200);
  });

  test("info has version, models, formats and limits", async () => {
    const response = await shared.fetch("/api/v1/info");
    expect(response.headers.get("content-type")).toStartWith("application/json");
    expect(await response.json()).toMatchObject({
      version: "0.0.0",
      protocol_version: expect.any(String),
      models: [{ name: "simulated", sample_rate: 16_000 }],
      formats: {
        encodings: SAMPLE_FORMAT_NAMES,
        sample_rate: { min: 4_000, max: 384_000 },
      },
      limits: { max_message_bytes: 1_048_576, max_text_bytes: 65_536 },
    });
  });

  test("the API reference is a page that may do nothing but have its own style", async () => {
    const page = await shared.fetch("/api/v1/docs");
    const policy = page.headers.get("content-security-policy") ?? "";
    const html = await page.text();
    const [, style = ""] = /<style>(.*)<\/style>/s.exec(html) ?? [];
    const hash = new Bun.CryptoHasher("sha256").update(style).digest("base64");
    expect(policy).toBe(
      `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    );
    expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(html).toContain("Version 0.0.0.");
    const zipped = await fetch(`${shared.url}/api/v1/docs`, {
      headers: { "accept-encoding": "gzip" },
      decompress: false,
    });
    expect([zipped.headers.get("content-encoding"), (await zipped.bytes()).length < 60_000]).toEqual(["gzip", true]);
    expect(await (await shared.fetch("/api/v1/info")).json()).toMatchObject({ docs: "/api/v1/docs" });
  });

  test("the AsyncAPI document is served, with a channel for each pattern and for calls", async () => {
    const document = (await (await shared.fetch("/api/v1/asyncapi.json")).json()) as Record<string, unknown>;
    expect(document["asyncapi"]).toStartWith("3.");
    expect(JSON.stringify(document)).toContain("keep_alive");
    const channels = document["channels"] as Record<string, { address: string }>;
    expect(Object.entries(channels).map(([name, { address }]) => [name, address])).toEqual(
      [...Object.keys(PATTERNS), "calls"].map((name) => [name, `/api/v1/${name}`]),
    );
  });

  test("the front page and unknown paths list the routes as text", async () => {
    const front = await shared.fetch("/");
    expect(front.headers.get("content-type")).toStartWith("text/plain");
    const missing = await shared.fetch("/api/v2/simple");
    expect([front.status, missing.status]).toEqual([200, 404]);
    for (const text of [await front.text(), await missing.text()]) {
      for (const route of ["simple", "stateful", "segmented", "health", "ready", "info", "asyncapi.json"]) {
        expect(text).toContain(`/api/v1/${route}`);
      }
    }
  });

  test("HTTP/1.0 without a Host header is accepted, as health checks of proxies send it", async () => {
    for (const [path, status] of [
      ["/api/v1/ready", 200],
      ["/api/v1/health", 200],
      ["/api/v1/info", 200],
      ["/metrics", 200],
      ["/metrics?name=x", 200],
      ["/", 200],
      ["//", 200],
      ["//api/v1/ready", 200],
      ["/nothing", 404],
    ] as const) {
      for (const method of ["GET", "HEAD"]) {
        expect([method, path, await statusOf(`${method} ${path} HTTP/1.0\r\n\r\n`)]).toEqual([method, path, status]);
      }
    }
    expect(await statusOf("OPTIONS / HTTP/1.0\r\n\r\n")).toBe(204);
    expect(await statusOf("GET /api/v1/ready HTTP/1.1\r\n\r\n")).toBe(400);
    expect(shared.logged("request_failed")).toEqual([]);
  });

  test("slashes at the end of a path, and repeated ones, do not change the route", async () => {
    for (const path of [
      "/api/v1/ready/",
      "//api/v1/ready",
      "/api//v1/ready//",
      "/metrics/",
      "//",
      "/metrics/?name=x",
    ]) {
      expect([path, (await shared.fetch(path)).status]).toEqual([path, 200]);
    }
    expect((await shared.fetch("/nothing/")).status).toBe(404);
    for (const path of ["/api/v1/segmented/", "//api/v1/simple", "/api/v1//stateful/"]) {
      using client = await shared.connect({ path });
      client.start();
      await client.nextEvent("started");
    }
  });

  test("OPTIONS names the allowed methods, as health checks of proxies ask for them", async () => {
    for (const path of ["/", "/api/v1/ready", "/metrics", "/api/v1/segmented"]) {
      const response = await shared.fetch(path, { method: "OPTIONS" });
      expect([path, response.status, response.headers.get("allow")]).toEqual([path, 204, "GET, HEAD, OPTIONS"]);
    }
    expect((await shared.fetch("/nothing", { method: "OPTIONS" })).status).toBe(404);
  });

  test("an invalid Host header gets 400, and is not logged as an internal error", async () => {
    const logged = spyOn(console, "error");
    for (const Host of ["a b", "a/b", "@", "", "[", "[::1", "::1", "a:99999", "a:b"]) {
      for (const path of ["/api/v1/segmented", "/api/v1/health"]) {
        const { status, error } = await refusal(shared, { path, headers: { Host } });
        expect([status, error["code"]]).toEqual([400, "invalid_request"]);
      }
    }
    const lines = ["GET /api/v1/ready HTTP/1.1", "Host: a", "Host: b"];
    expect(await statusOf(`${lines.join("\r\n")}\r\n\r\n`)).toBe(400);
    for (const host of ["[::1", "a:99999"]) {
      expect([host, await statusOf(`GET /api/v1/ready HTTP/1.0\r\nHost: ${host}\r\n\r\n`)]).toEqual([host, 400]);
    }
    expect(logged).not.toHaveBeenCalled();
    logged.mockRestore();
    expect(shared.logged("request_failed")).toEqual([]);
  });

  test("a method that a route does not have gets 405 and those that it has, an unknown path 404", async () => {
    for (const method of ["POST", "PUT", "PATCH", "DELETE"]) {
      for (const path of ["/", "/api/v1/health", "/metrics", "/api/v1/segmented"]) {
        const response = await shared.fetch(path, { method });
        expect([path, response.status, response.headers.get("allow")]).toEqual([path, 405, "GET, HEAD, OPTIONS"]);
      }
      expect((await shared.fetch("/nothing", { method })).status).toBe(404);
    }
  });
});

describe("a handshake", () => {
  test("with an encoded path, or another Host header, is accepted", async () => {
    for (const [path, host] of [
      ["/api/v1/simpl%65", "localhost"],
      ["/api/v1/%73imple", "localhost"],
      ["/api/v1/simple", "[::1]:80"],
      ["/api/v1/simple", "LOCALHOST.:65535"],
    ]) {
      const lines = [
        `GET ${path} HTTP/1.1`,
        `Host: ${host}`,
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
      ];
      expect(await statusOf(`${lines.join("\r\n")}\r\n\r\n`)).toBe(101);
    }
    expect(shared.logged("request_failed")).toEqual([]);
  });

  test("is accepted without a subprotocol, and with streamer.v1 among others, which the response then names", async () => {
    using plain = await shared.connect();
    expect(plain.headers.get("sec-websocket-protocol")).toBeNull();
    using chosen = await shared.connect({ headers: { "Sec-WebSocket-Protocol": "other, streamer.v1" } });
    expect(chosen.headers.get("sec-websocket-protocol")).toBe("streamer.v1");
  });

  test("that offers only other subprotocols is refused with 400", async () => {
    const { status, error } = await refusal(shared, { headers: { "Sec-WebSocket-Protocol": "streamer.v2, chat" } });
    expect([status, error["code"], error["fatal"]]).toEqual([400, "invalid_request", false]);
    // They are not shown, since some clients send tokens like this.
    expect(error["message"]).toBe("Sec-WebSocket-Protocol: found only others; allowed: streamer.v1, or none");
  });

  test("without Connection: Upgrade, or without Upgrade: websocket, is refused with 426", async () => {
    for (const headers of [{ Connection: undefined }, { Connection: "keep-alive" }, { Upgrade: "h2c" }]) {
      const { status, error, headers: refused } = await refusal(shared, { headers });
      expect([status, error["code"], refused.get("upgrade")]).toEqual([426, "upgrade_required", "websocket"]);
    }
    expect((await shared.fetch("/api/v1/segmented")).status).toBe(426);
  });

  test("with the upgrade tokens among others, and in any case, is accepted", async () => {
    using _ = await shared.connect({ headers: { Connection: "keep-alive, uPGRADE", Upgrade: "WebSocket" } });
  });

  test("with another WebSocket version is refused with 426 and the supported version", async () => {
    for (const version of ["8", undefined]) {
      const { status, error, headers } = await refusal(shared, { headers: { "Sec-WebSocket-Version": version } });
      expect([status, error["code"], headers.get("sec-websocket-version")]).toEqual([426, "upgrade_required", "13"]);
    }
  });

  test("without a valid key is refused with 400", async () => {
    for (const key of ["abc", undefined]) {
      const { status, error } = await refusal(shared, { headers: { "Sec-WebSocket-Key": key } });
      expect([status, error["code"]]).toEqual([400, "invalid_request"]);
    }
  });

  test("with credentials that are not needed is accepted", async () => {
    using _ = await shared.connect({ headers: { Authorization: "Bearer whatever" } });
  });
});

describe("a server that cannot accept a session", () => {
  async function serverWithOneSession(settings: Settings): Promise<InProcessServer> {
    const server = await InProcessServer.start(settings);
    await server.connect();
    return server;
  }

  test("while its models are loading responds with 503 not_ready and Retry-After, and to health with 200", async () => {
    await using server = await InProcessServer.start({ "model.delay": 0.5 }, { load: false });
    const { status, error, headers } = await refusal(server, {});
    expect([status, error["code"], error["retryable"]]).toEqual([503, "not_ready", true]);
    expect(Number(headers.get("retry-after"))).toBeGreaterThan(0);
    const ready = await server.fetch("/api/v1/ready");
    expect([ready.status, ((await ready.json()) as { code: string }).code]).toEqual([503, "not_ready"]);
    expect((await server.fetch("/api/v1/health")).status).toBe(200);
    await server.load();
    expect((await server.fetch("/api/v1/ready")).status).toBe(200);
    using _ = await server.connect();
  });

  test("because it is full responds with 503 overloaded and Retry-After until a session ends", async () => {
    await using server = await serverWithOneSession({ "limits.max_sessions": 2 });
    const second = await server.connect();
    const { status, error, headers } = await refusal(server, {});
    expect([status, error["code"]]).toEqual([503, "overloaded"]);
    expect(headers.get("retry-after")).not.toBeNull();
    expect(headers.get("connection")).toBe("close");
    second.sendClose();
    await second.waitForClose();
    using _ = await server.connect();
  });

  test("because the address has too many sessions responds with 429", async () => {
    await using server = await serverWithOneSession({ ...LOOPBACK_IS_LIMITED, "limits.max_sessions_per_address": 1 });
    const { status, error } = await refusal(server, {});
    expect([status, error["code"]]).toEqual([429, "too_many_sessions"]);
  });

  test("because it is shutting down responds with 503 draining", async () => {
    await using server = await InProcessServer.start();
    const client = await server.connect({ path: "/api/v1/simple" });
    client.start();
    await client.nextEvent("started");
    const drained = server.drain();
    const { status, error, headers } = await refusal(server, {});
    expect([status, error["code"], headers.get("retry-after")]).toEqual([503, "draining", expect.any(String)]);
    expect((await server.fetch("/api/v1/ready")).status).toBe(503);
    client.stop();
    await drained;
    expect(client.closed?.code ?? (await client.waitForClose()).code).toBe(1001);
  });
});
