import { describe, expect, setDefaultTimeout, spyOn, test } from "bun:test";
import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { connect as connectHttp2 } from "node:http2";
import { connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { formatTokenLine } from "../../../src/auth/token-line.ts";
import { hashToken, newToken } from "../../../src/auth/token.ts";
import { contractOfGrpc, STREAM_PATH } from "../../../src/dialects/grpc/contract.ts";
import { GrpcDialect } from "../../../src/dialects/grpc/dialect.ts";
import { encode, noise, speech } from "../../support/audio.ts";
import { Authority, credentialsOf } from "../../support/certificates.ts";
import { GrpcClient } from "../../support/grpc-client.ts";
import { InProcessServer, type Settings } from "../../support/in-process-server.ts";
import { freePort } from "../../support/proxies.ts";
import { waitUntil } from "../../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const FORMAT = { channels: 1, sample_rate: 16_000, bit_depth: 16, is_float: false };
const start = (pattern: string, more = {}): object => ({ start: { pattern, format: FORMAT, ...more } });
const UTTERANCE = encode("s16", speech([0.6]));

/** Of a call over bare HTTP/2. */
const HEADERS = { ":method": "POST", ":path": STREAM_PATH, te: "trailers", "content-type": "application/grpc" };

/** A server with a port for gRPC, and a client of it. */
async function serve(settings: Settings = {}, options: Parameters<typeof InProcessServer.start>[1] = {}, ca?: string) {
  const port = await freePort();
  const server = await InProcessServer.start({ "grpc.port": port, ...settings }, options);
  const client = new GrpcClient(port, ca);
  return {
    ...{ server, port, client },
    async [Symbol.asyncDispose]() {
      client[Symbol.dispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

describe("a call of gRPC", () => {
  test("carries streams of one pattern, one after the other, and ends with OK when the client sends no more", async () => {
    await using own = await serve();
    const call = own.client.call().write(start("segmented"), { audio: UTTERANCE }, { stop: {} });
    await call.event("stopped");
    call.write(start("", { timing: true }), { audio: UTTERANCE }, { flush: {} }, { keep_alive: {} }).end();
    expect(await call.status()).toEqual({ code: 0, details: "OK" });
    const kinds = call.events.map(({ type }) => type);
    expect(kinds.filter((type) => type === "segment" || type === "stopped")).toEqual([
      "segment",
      "stopped",
      "segment",
      "stopped",
    ]);
    expect(kinds.filter((type) => type === "flushed")).toHaveLength(1);
    const stopped = own.server.logged("stream_stopped");
    for (const each of stopped) {
      expect(each).toMatchObject({
        reason: "stop",
        ledger: [{ received: UTTERANCE.length / 2, failed: 0, segments: 1 }],
      });
    }
    await own.server.waitUntilIdle();
    const metrics = await own.server.metrics();
    expect(metrics.value("streamer_sessions_opened_total", { dialect: "grpc", pattern: "segmented" })).toBe(1);
    expect(metrics.value("streamer_sessions_closed_total", { reason: "stop" })).toBe(1);
  });

  test("ends with a status that says what is wrong with its first message, and costs no session", async () => {
    await using own = await serve({ "limits.start_timeout_ms": 100 });
    const wrong = { code: 3, error: "invalid_request" };
    const first = async (...messages: object[]) =>
      await own.client
        .call()
        .write(...messages)
        .end()
        .status();
    expect(await first()).toEqual({
      ...wrong,
      details: "found a call without messages; allowed: start as the first message",
    });
    expect(await first({ audio: UTTERANCE })).toEqual({
      ...wrong,
      details: "found audio as the first message; allowed: start",
    });
    expect(await first(start("nope"))).toEqual({
      ...wrong,
      details: 'pattern: found "nope"; allowed: "simple", "stateful", "segmented"',
    });
    const rubbish = own.client.call();
    rubbish.writeBytes(Buffer.from("hello"));
    expect(await rubbish.status()).toMatchObject({ ...wrong, details: expect.stringContaining("found no protobuf") });
    expect(await own.client.call().status()).toMatchObject({ code: 4, error: "start_timeout" });
    const metrics = await own.server.metrics();
    expect(metrics.value("streamer_sessions_refused_total", { reason: "invalid_request" })).toBe(4);
    expect(metrics.value("streamer_sessions_refused_total", { reason: "start_timeout" })).toBe(1);
    expect(own.server.sessions).toBe(0);
  });

  test("reports a start that is refused, and goes on", async () => {
    await using own = await serve();
    const call = own.client.call().write(start("simple", { format: { ...FORMAT, channels: 0 } }), start("segmented"));
    call.write(start("simple", { model: "nope" }), start("simple"), { audio: UTTERANCE }).end();
    expect(await call.status()).toEqual({ code: 0, details: "OK" });
    const errors = call.events.flatMap((event) => (event.type === "error" ? [[event.code, event.param]] : []));
    expect(errors).toEqual([
      ["unsupported_format", "format.channels"],
      ["invalid_request", "pattern"],
      ["unknown_model", "model"],
    ]);
    expect(call.events.at(-1)).toMatchObject({ type: "stopped", channels: [{ received: UTTERANCE.length / 2 }] });
  });

  test("ends when a message is none of the contract, with what has come before in the ledger", async () => {
    await using own = await serve();
    const call = own.client.call().write(start("simple"), { audio: UTTERANCE });
    call.writeBytes(Buffer.from("hello"));
    expect(await call.status()).toMatchObject({ code: 3, error: "invalid_request" });
    expect(call.events.at(-1)).toMatchObject({ type: "stopped", channels: [{ received: UTTERANCE.length / 2 }] });
    await own.server.waitUntilIdle();
  });

  test("ends when a message is too large for the session, and when it is too large for the transport", async () => {
    await using own = await serve({ "limits.max_message_bytes": 100_000, "limits.max_text_bytes": 100_000 });
    const large = own.client.call().write(start("simple"), { audio: new Uint8Array(100_001) });
    expect(await large.status()).toMatchObject({ code: 8, error: "message_too_big" });
    expect(large.events.at(-1)).toMatchObject({ type: "stopped", reason: "limit" });
    const larger = own.client.call().write(start("simple"), { audio: new Uint8Array(300_000) });
    expect((await larger.status()).code).toBe(8);
    await own.server.waitUntilIdle();
  });

  test("that is cancelled, or has reached its deadline, is that of a client that has vanished", async () => {
    await using own = await serve();
    const cancelled = own.client.call().write(start("simple"), { audio: encode("s16", noise(1)) });
    await cancelled.event("started");
    cancelled.cancel();
    const late = own.client.call({ deadlineMs: 300 }).write(start("simple"));
    expect((await late.status()).code).toBe(4);
    await own.server.waitUntilIdle();
    const reasons = own.server.logged("stream_stopped").map(({ reason }) => reason);
    expect(reasons).toEqual(["vanished", "vanished"]);
  });

  test("of a client that takes no results is ended after its time, and its memory is freed", async () => {
    await using own = await serve({ "limits.slow_reader_ms": 500, "limits.outbox_bytes": 4_096 });
    const session = connectHttp2(`http://localhost:${own.port}`, { settings: { initialWindowSize: 0 } });
    const stream = session.request(HEADERS);
    stream.on("error", () => {});
    const reset = Promise.withResolvers<number>();
    stream.on("close", () => reset.resolve(stream.rstCode ?? 0));
    const { request } = contractOfGrpc();
    for (const message of [start("simple"), ...Array.from({ length: 400 }, () => start("bad"))]) {
      const bytes = request.encode(message).finish();
      const head = Buffer.alloc(5);
      head.writeUInt32BE(bytes.length, 1);
      stream.write(Buffer.concat([head, bytes]));
    }
    await waitUntil("the end of the session", () => own.server.logged("session_closed").length === 1);
    const closed = (await own.server.metrics()).value("streamer_sessions_closed_total", { reason: "slow_reader" });
    expect(closed).toBe(1);
    // NGHTTP2_CANCEL: what waits for the client is given up.
    expect(await reset.promise).toBe(8);
    await own.server.waitUntilIdle();
    session.destroy();
  });

  test("that meets a fault of the server ends with an internal error, and the others go on", async () => {
    await using own = await serve();
    const other = own.client.call().write(start("simple"));
    await other.event("started");
    const fault = new Error("a fault of the dialect");
    for (const method of ["read", "write"] as const) {
      const call = own.client.call().write(start("simple", { trace_id: "1".repeat(32) }));
      await call.event("started");
      const faulty = spyOn(GrpcDialect.prototype, method).mockImplementationOnce(() => {
        throw fault;
      });
      call.write({ flush: {} });
      expect(await call.status()).toMatchObject({ code: 13, error: "internal" });
      faulty.mockRestore();
    }
    other.write({ audio: UTTERANCE }).end();
    expect((await other.status()).code).toBe(0);
    expect(other.events.at(-1)).toMatchObject({ type: "stopped", channels: [{ received: UTTERANCE.length / 2 }] });
    await own.server.waitUntilIdle();
    expect(own.server.logged("session_crashed")).toHaveLength(2);
  });

  test("shares its connection with others, which do not wait for it", async () => {
    await using own = await serve({ "model.delay": 0.02 });
    const calls = Array.from({ length: 20 }, () =>
      own.client.call().write(start("simple"), { audio: UTTERANCE }).end(),
    );
    for (const call of calls) {
      expect((await call.status()).code).toBe(0);
      expect(call.events.at(-1)).toMatchObject({ type: "stopped", channels: [{ received: UTTERANCE.length / 2 }] });
    }
    expect((await own.server.metrics()).value("streamer_connections")).toBeLessThanOrEqual(2);
  });
});

describe("admission over gRPC", () => {
  test("wants a token where there are tokens, as metadata", async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), "streamer-grpc-"));
    const [token, file] = [newToken(), join(folder.path, "tokens")];
    const line = formatTokenLine({ name: "client", hash: hashToken(token).toString("hex"), admin: false });
    await writeFile(file, `${line}\n`, { mode: 0o600 });
    await using own = await serve({ "auth.tokens": file });
    for (const metadata of [{}, { authorization: "Bearer wrong" }, { authorization: token }]) {
      const call = own.client.call({ metadata }).write(start("simple")).end();
      expect(await call.status()).toMatchObject({ code: 16, error: "unauthorized" });
    }
    const call = own.client
      .call({ metadata: { authorization: `Bearer ${token}` } })
      .write(start("simple"))
      .end();
    expect((await call.status()).code).toBe(0);
    expect(JSON.stringify(own.server.log)).not.toContain(token);
  });

  test("refuses for the moment while the models load and while the server drains, and says when to come again", async () => {
    await using own = await serve({}, { load: false });
    const early = await own.client.call().write(start("simple")).end().status();
    expect(early).toMatchObject({ code: 14, error: "not_ready", pushback: "1000" });
    await own.server.load();
    const open = own.client.call().write(start("segmented"), { audio: UTTERANCE });
    await open.event("segment");
    const drained = own.server.drain();
    await open.event("warning");
    expect(await own.client.call().write(start("simple")).end().status()).toMatchObject({
      code: 14,
      error: "draining",
    });
    open.end();
    expect((await open.status()).code).toBe(0);
    await drained;
  });

  test("refuses what a browser on another origin sends, and a name that is not the server's", async () => {
    await using own = await serve();
    const from = (metadata: Record<string, string>) =>
      own.client.call({ metadata }).write(start("simple")).end().status();
    expect(await from({ origin: "https://example.org" })).toMatchObject({ code: 7, error: "origin_not_allowed" });
    expect(await from({ "x-forwarded-for": "192.0.2.1" })).toMatchObject({ code: 0 });
  });

  test("resets the stream of a client that was refused and does not end its call", async () => {
    await using own = await serve({ "limits.start_timeout_ms": 100 });
    const session = connectHttp2(`http://localhost:${own.port}`);
    const stream = session.request(HEADERS);
    const [status, reset] = [Promise.withResolvers<unknown>(), Promise.withResolvers<void>()];
    stream.on("error", () => {}).on("close", () => reset.resolve());
    stream.on("response", (headers) => status.resolve(headers["grpc-status"]));
    expect(await status.promise).toBe("4");
    await reset.promise;
    expect(stream.rstCode).toBe(0);
    session.destroy();
  });

  test("takes new certificates for new connections", async () => {
    const [first, second] = [await Authority.create(), await Authority.create()];
    const tls = credentialsOf(await first.issue());
    await using own = await serve({}, { tls }, first.cert);
    const before = own.client.call().write(start("simple"));
    await before.event("started");
    own.server.useCredentials(credentialsOf(await second.issue()));
    using next = new GrpcClient(own.port, second.cert);
    expect((await next.call().write(start("simple")).end().status()).code).toBe(0);
    expect((await before.end().status()).code).toBe(0);
    using stranger = new GrpcClient(own.port, first.cert);
    expect((await stranger.call({ deadlineMs: 2_000 }).write(start("simple")).end().status()).code).not.toBe(0);
  });
});

test("the address of gRPC is on the front page and in info, with TLS as it is", async () => {
  const authority = await Authority.create();
  for (const [tls, scheme] of [
    [undefined, "grpc"],
    [credentialsOf(await authority.issue()), "grpcs"],
  ] as const) {
    await using own = await serve({}, tls && { tls });
    const { hostname } = new URL(own.server.url);
    const url = `${scheme}://${hostname}:${own.port}`;
    expect(await (await own.server.fetch("/")).text()).toContain(`  grpc  ${url}\n`);
    const info = (await own.server.info()) as unknown as { dialects: unknown[] };
    expect(info.dialects).toContainEqual({ name: "grpc", port: own.port, urls: [url] });
  }
});

test("rubbish on the port ends its own connection only", async () => {
  await using own = await serve();
  const call = own.client.call().write(start("simple"));
  await call.event("started");
  for (const rubbish of [
    "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nrubbish",
    "\u0000".repeat(10_000),
  ]) {
    const socket = connectTcp(own.port, "localhost");
    const closed = Promise.withResolvers<void>();
    socket
      .on("error", () => {})
      .on("close", () => closed.resolve())
      .resume();
    socket.end(rubbish);
    await closed.promise;
  }
  call.write({ audio: UTTERANCE }).end();
  expect((await call.status()).code).toBe(0);
  expect(own.server.log.filter(({ level }) => level === "error")).toEqual([]);
});
