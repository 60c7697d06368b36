import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { connect } from "node:net";
import { join } from "node:path";

import { encode, noise } from "../support/audio.ts";
import { type ServeProcess, sharedExecutable } from "../support/executable.ts";
import { onlyStream } from "../support/ledgers.ts";
import { Stranger, STRANGER_KINDS } from "../support/peers/stranger.ts";
import { freePort } from "../support/proxies.ts";
import { testWith } from "../support/requirements.ts";
import { ScrapedMetrics } from "../support/scraped-metrics.ts";
import { waitUntil, withTimeout } from "../support/wait.ts";
import { UpgradeRefused } from "../support/websocket-client.ts";
import { WyomingClient } from "../support/wyoming-client.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const executable = await sharedExecutable();
const canLimit = Bun.which("prlimit") ?? undefined;
const INSTANT = { "model.workers": 1, "model.delay": 0, "model.warmup_penalty": 1, "model.constant_factor": 0 };
/** Addresses of this machine. That of the stranger counts as one of another machine because it is a trusted proxy. */
const [STRANGER, CLIENT] = ["127.0.0.2", "127.0.0.3"];
const FOREIGN = { "server.trusted_proxies": STRANGER };

async function metricsAt(socket: string): Promise<ScrapedMetrics> {
  const response = await fetch("http://localhost/metrics", { unix: socket, headers: { accept: "text/plain" } });
  return new ScrapedMetrics(await response.text());
}

/** Requests a page from an address of this machine, with keep-alive. Resolves with the head of the response. */
async function headFrom(from: string, server: ServeProcess, path: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = connect({ port: server.port, host: "127.0.0.1", localAddress: from });
  socket.once("error", reject).once("data", (bytes: Buffer) => resolve(bytes.toString().split("\r\n\r\n")[0] ?? ""));
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  return await withTimeout(`the answer of ${path}`, promise).finally(() => socket.destroy());
}

async function streamFrom(from: string, server: ServeProcess): Promise<void> {
  using client = await server.connect({ path: "/api/v1/simple", from });
  client.start();
  await client.nextEvent("started");
  for (let n = 0; n < 5; n++) await client.sendAudio(encode("s16", noise(0.3)));
  client.stop();
  await client.nextEvent("stopped");
  expect(onlyStream(client.events).stopped).toMatchObject({ reason: "stop", channels: [{ failed: 0 }] });
}

describe("a stranger who takes every connection that it can get", () => {
  testWith(canLimit)("keeps nobody else from streaming, health checks and the address for operators", async () => {
    const socket = join(executable.folder, "strangers.sock");
    const settings = { ...INSTANT, ...FOREIGN, "server.admin": `unix:${socket}` };
    const server = await executable.serve(settings, [], {}, ["prlimit", "--nofile=128:128"]);
    const before = server.handles.descriptors;
    for (const kind of STRANGER_KINDS) {
      using stranger = new Stranger(kind, 300, server.port, STRANGER);
      await waitUntil(`the end of connections with ${kind}`, () => stranger.closed > 0);
      await streamFrom(CLIENT, server);
      expect(await headFrom(CLIENT, server, "/api/v1/health")).toStartWith("HTTP/1.1 200 ");
      expect((await metricsAt(socket)).value("streamer_ready")).toBe(1);
      expect(server.handles.descriptors).toBeLessThanOrEqual(128);
    }
    await waitUntil("the end of all connections", async () => {
      const metrics = await metricsAt(socket);
      return metrics.value("streamer_connections") + metrics.value("streamer_sessions_active") === 0;
    });
    expect((await metricsAt(socket)).value("streamer_connections_closed_total", { limit: "all" })).toBeGreaterThan(0);
    await waitUntil("the descriptors of before", () => server.handles.descriptors <= before + 2);
    // The last of its connections may become sessions only now, each until its end is noticed.
    await waitUntil("a place for a stream of the stranger's", async () => {
      try {
        await streamFrom(STRANGER, server);
        return true;
      } catch (error) {
        if (error instanceof UpgradeRefused) return false;
        throw error;
      }
    });
    const closed = server.log.find(({ event }) => event === "connections_closed");
    expect(closed).toMatchObject({ level: "warning", address: STRANGER, closed: expect.any(Number) });
    expect(server.log.filter(({ level }) => level === "error")).toEqual([]);
  });

  testWith(canLimit)("keeps nobody away at the ports of dialects, either", async () => {
    const [wyoming, vosk] = [await freePort(), await freePort()];
    const settings = { ...INSTANT, ...FOREIGN, "wyoming.port": wyoming, "vosk.port": vosk };
    const server = await executable.serve(settings, [], {}, ["prlimit", "--nofile=96:96"]);
    const before = server.handles.descriptors;
    for (const port of [vosk, wyoming]) {
      using stranger = new Stranger("nothing", 300, port, STRANGER);
      await waitUntil(`the end of connections to port ${port}`, () => stranger.closed > 200);
      await streamFrom(CLIENT, server);
      expect(await headFrom(CLIENT, server, "/api/v1/health")).toStartWith("HTTP/1.1 200 ");
      using client = await WyomingClient.connect(wyoming);
      client.command(encode("s16", noise(0.3)));
      await client.event("transcript");
      expect(server.handles.descriptors).toBeLessThanOrEqual(96);
    }
    await waitUntil("the descriptors of before", () => server.handles.descriptors <= before + 2);
    expect(server.log.filter(({ level }) => level === "error")).toEqual([]);
  });

  test("loses what it has beyond its share, while sessions of the same address stay", async () => {
    const limits = { "limits.max_connections_per_address": 5, "limits.start_timeout_ms": 60_000 };
    const server = await executable.serve({ ...INSTANT, ...FOREIGN, ...limits });
    const sessions = await Promise.all(Array.from({ length: 8 }, () => server.connect({ from: STRANGER })));
    using stranger = new Stranger("nothing", 20, server.port, STRANGER);
    await waitUntil("the end of what is too much", () => stranger.closed >= 15);
    for (const session of sessions) session.start();
    for (const session of sessions) await session.nextEvent("started");
    const local = Array.from({ length: 20 }, () => connect(server.port, "127.0.0.1"));
    await Promise.all(local.map((one) => new Promise((resolve) => one.once("connect", resolve))));
    // Those that it has made again are closed, and made again: by then the others have been silent for as long.
    await waitUntil("more of the stranger's", () => stranger.closed >= 35);
    expect(local.filter((one) => one.destroyed || one.readableEnded)).toEqual([]);
    for (const one of local) one.destroy();
    for (const session of sessions) session[Symbol.dispose]();
  });

  test("makes answers end their connections once few are left", async () => {
    const server = await executable.serve({ ...INSTANT, ...FOREIGN, "limits.max_connections": 16 });
    expect(await headFrom(CLIENT, server, "/api/v1/health")).not.toMatch(/^connection: close/im);
    using _ = new Stranger("nothing", 14, server.port, CLIENT);
    await waitUntil("an answer that ends its connection", async () => {
      return /^connection: close/im.test(await headFrom("127.0.0.4", server, "/api/v1/health"));
    });
  });
});

test("the address for operators keeps at most twelve connections, those that are used", async () => {
  const server = await executable.serve(INSTANT, ["--admin", "127.0.0.1:0"]);
  const ready = () => server.log.find(({ event }) => event === "ready");
  await waitUntil("the record", () => ready() !== undefined);
  const admin = String(ready()?.["admin"]);
  const port = Number(new URL(admin).port);
  using stranger = new Stranger("nothing", 40, port, STRANGER);
  await waitUntil("the end of what is too much", () => stranger.closed >= 28);
  expect((await fetch(`${admin}/api/v1/ready`)).status).toBe(200);
});
