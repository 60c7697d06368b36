import { afterAll, beforeAll, describe, expect, setDefaultTimeout, spyOn, test } from "bun:test";

import { SAMPLE_FORMAT_NAMES } from "../../src/lib/sample-format.ts";
import { PATTERNS } from "../../src/pipeline/patterns.ts";
import { type Keys, Running } from "../support/in-process.ts";
import { type PeerOptions, Refused } from "../support/peer.ts";

// Many times what any of these takes: a busy machine is not a fault.
setDefaultTimeout(120_000);

let running: Running;

beforeAll(async () => {
  running = await Running.start();
});

afterAll(async () => {
  await running[Symbol.asyncDispose]();
});

/** How a server refuses this handshake: the status, the error of the body, and the headers. */
async function refusal(
  server: Running,
  options: PeerOptions,
): Promise<{ status: number; error: Record<string, unknown>; headers: Headers }> {
  try {
    await server.connect(options);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { status: error.status, error: JSON.parse(error.body) as Record<string, unknown>, headers: error.headers };
  }
  throw new Error("the handshake was accepted");
}

/** The status of the answer to these bytes. */
async function statusOf(request: string): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const socket = await Bun.connect({
    hostname: "localhost",
    port: running.port,
    socket: {
      open: (opened) => void opened.write(request),
      data: (_, bytes) => resolve(Number(bytes.toString("latin1").split(" ")[1])),
      close: () => reject(new Error("closed without an answer")),
    },
  });
  return await promise.finally(() => socket.end());
}

describe("routes", () => {
  test("health and ready answer 200", async () => {
    const health = await running.get("/api/v1/health");
    expect([health.status, await health.json()]).toEqual([200, { status: "healthy" }]);
    expect((await running.get("/api/v1/ready")).status).toBe(200);
  });

  test("info has version, models, formats and limits", async () => {
    const response = await running.get("/api/v1/info");
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

  test("the machine-readable contract is served", async () => {
    const document = (await (await running.get("/api/v1/asyncapi.json")).json()) as Record<string, unknown>;
    expect(document["asyncapi"]).toStartWith("3.");
    expect(JSON.stringify(document)).toContain("keep_alive");
    const channels = document["channels"] as Record<string, { address: string }>;
    expect(Object.entries(channels).map(([name, { address }]) => [name, address])).toEqual(
      Object.keys(PATTERNS).map((name) => [name, `/api/v1/${name}`]),
    );
  });

  test("the front page and unknown paths list the routes as text", async () => {
    const front = await running.get("/");
    expect(front.headers.get("content-type")).toStartWith("text/plain");
    const missing = await running.get("/api/v2/simple");
    expect([front.status, missing.status]).toEqual([200, 404]);
    for (const text of [await front.text(), await missing.text()]) {
      for (const route of ["simple", "stateful", "segmented", "health", "ready", "info", "asyncapi.json"]) {
        expect(text).toContain(`/api/v1/${route}`);
      }
    }
  });

  test("HTTP/1.0 without a Host header is answered, as health checks of proxies send it", async () => {
    for (const [path, status] of [
      ["/api/v1/ready", 200],
      ["/metrics", 200],
      ["/", 200],
      ["/nothing", 404],
    ] as const) {
      expect(await statusOf(`GET ${path} HTTP/1.0\r\n\r\n`)).toBe(status);
    }
    expect(await statusOf("GET /api/v1/ready HTTP/1.1\r\n\r\n")).toBe(400);
  });

  test("an invalid Host header is answered with 400 and not logged as a fault", async () => {
    const complained = spyOn(console, "error");
    for (const Host of ["a b", "a/b", "@", ""]) {
      for (const path of ["/api/v1/segmented", "/api/v1/health"]) {
        const { status, error } = await refusal(running, { path, headers: { Host } });
        expect([status, error["code"]]).toEqual([400, "invalid_request"]);
      }
    }
    expect(complained).not.toHaveBeenCalled();
    complained.mockRestore();
  });

  test("an unknown method is answered with an error", async () => {
    expect((await running.get("/api/v1/health", { method: "POST" })).status).toBe(404);
  });
});

describe("a handshake", () => {
  test("with an encoded path, or a Host that is no valid host, is accepted as before", async () => {
    for (const [path, host] of [
      ["/api/v1/simpl%65", "localhost"],
      ["/api/v1/%73imple", "localhost"],
      ["/api/v1/simple", "["],
      ["/api/v1/simple", "a:99999"],
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
    expect(running.logged("request_failed")).toEqual([]);
  });

  test("is accepted without a subprotocol, and with streamer.v1 among others, which is then chosen", async () => {
    const plain = await running.connect();
    expect(plain.headers.get("sec-websocket-protocol")).toBeNull();
    const chosen = await running.connect({ headers: { "Sec-WebSocket-Protocol": "other, streamer.v1" } });
    expect(chosen.headers.get("sec-websocket-protocol")).toBe("streamer.v1");
  });

  test("that offers only other subprotocols is refused with 400", async () => {
    const { status, error } = await refusal(running, { headers: { "Sec-WebSocket-Protocol": "streamer.v2, chat" } });
    expect([status, error["code"], error["fatal"]]).toEqual([400, "invalid_request", false]);
    expect(error["message"]).toContain("streamer.v2, chat");
  });

  test("without Connection: Upgrade, or without Upgrade: websocket, is refused with 426", async () => {
    for (const headers of [{ Connection: undefined }, { Connection: "keep-alive" }, { Upgrade: "h2c" }]) {
      const { status, error, headers: said } = await refusal(running, { headers });
      expect([status, error["code"], said.get("upgrade")]).toEqual([426, "upgrade_required", "websocket"]);
    }
    expect((await running.get("/api/v1/segmented")).status).toBe(426);
  });

  test("among other tokens and in any case is accepted", async () => {
    using _ = await running.connect({ headers: { Connection: "keep-alive, uPGRADE", Upgrade: "WebSocket" } });
  });

  test("with another WebSocket version is refused with 426, which names the supported version", async () => {
    for (const version of ["8", undefined]) {
      const { status, error, headers } = await refusal(running, { headers: { "Sec-WebSocket-Version": version } });
      expect([status, error["code"], headers.get("sec-websocket-version")]).toEqual([426, "upgrade_required", "13"]);
    }
  });

  test("without a good key is refused with 400", async () => {
    for (const key of ["abc", undefined]) {
      const { status, error } = await refusal(running, { headers: { "Sec-WebSocket-Key": key } });
      expect([status, error["code"]]).toEqual([400, "invalid_request"]);
    }
  });

  test("with credentials that are not needed is accepted", async () => {
    using _ = await running.connect({ headers: { Authorization: "Bearer whatever" } });
  });
});

describe("a server that cannot accept a session", () => {
  const first = async (keys: Keys): Promise<Running> => {
    const server = await Running.start(keys);
    await server.connect();
    return server;
  };

  test("while its models are loaded answers 503 not_ready with Retry-After, and health still 200", async () => {
    await using server = await Running.start({ "model.delay": 0.5 }, { load: false });
    const { status, error, headers } = await refusal(server, {});
    expect([status, error["code"], error["retryable"]]).toEqual([503, "not_ready", true]);
    expect(Number(headers.get("retry-after"))).toBeGreaterThan(0);
    const ready = await server.get("/api/v1/ready");
    expect([ready.status, ((await ready.json()) as { code: string }).code]).toEqual([503, "not_ready"]);
    expect((await server.get("/api/v1/health")).status).toBe(200);
    await server.server.load();
    expect((await server.get("/api/v1/ready")).status).toBe(200);
    using _ = await server.connect();
  });

  test("because it is full answers 503 overloaded with Retry-After until a session ends", async () => {
    await using server = await first({ "limits.max_sessions": 2 });
    const second = await server.connect();
    const { status, error, headers } = await refusal(server, {});
    expect([status, error["code"]]).toEqual([503, "overloaded"]);
    expect(headers.get("retry-after")).not.toBeNull();
    second.leave();
    await second.close();
    using _ = await server.connect();
  });

  test("because the address has too many answers 429", async () => {
    await using server = await first({ "limits.max_sessions_per_address": 1 });
    const { status, error } = await refusal(server, {});
    expect([status, error["code"]]).toEqual([429, "too_many_sessions"]);
  });

  test("because it shuts down answers 503 draining", async () => {
    await using server = await Running.start({ "model.delay": 0.5 });
    const peer = await server.connect({ path: "/api/v1/simple" });
    peer.start();
    await peer.audio(Buffer.alloc(3_200));
    await peer.next("started");
    const drained = server.server.drain();
    const { status, error, headers } = await refusal(server, {});
    expect([status, error["code"], headers.get("retry-after")]).toEqual([503, "draining", expect.any(String)]);
    expect((await server.get("/api/v1/ready")).status).toBe(503);
    await drained;
    expect(peer.closed?.code ?? (await peer.close()).code).toBe(1001);
  });
});
