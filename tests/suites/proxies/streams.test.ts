import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";

import { encode, noise, seeded } from "../../support/audio.ts";
import { BUILD_MS, parseEvents, type ServeProcess, sharedExecutable } from "../../support/executable.ts";
import type { Settings } from "../../support/in-process-server.ts";
import { chunkInvariantEvents, expectExactLedger } from "../../support/ledgers.ts";
import {
  createCertificate,
  documented,
  documentedLine,
  freePort,
  PROGRAMS,
  type ProxyKind,
  replaceEach,
  ReverseProxy,
} from "../../support/proxies.ts";
import { recorded, RECORDING } from "../../support/recorded.ts";
import { testWith, tool } from "../../support/requirements.ts";
import { ScrapedMetrics } from "../../support/scraped-metrics.ts";
import { waitUntil, withTimeout } from "../../support/wait.ts";
import { UpgradeRefused, type WebSocketClient } from "../../support/websocket-client.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(BUILD_MS + 120_000);

const executable = await sharedExecutable();
const openssl = tool("openssl", "openssl");
/** Two people, without the WAV header. */
const stereo = (await Bun.file(RECORDING).bytes()).subarray(44);
const STEREO = { format: { channels: 2, sample_rate: 48_000, bit_depth: 16, is_float: false } };
/** One of them, in the format that clients of tests send: four utterances, in one message. */
const audio = encode("s16", await recorded(1));
const SENT = { bytes: audio.length, frameBytes: 2 };
const INSTANT = { "model.workers": 1, "model.delay": 0, "model.constant_factor": 0, "model.jitter": 0 };
const SIMPLE = { path: "/api/v1/simple" };

/** Settings of a server whose results are pending until `open` is called. */
function gated(): { settings: Settings; open: () => Promise<unknown> } {
  const gate = join(executable.folder, `gate-${crypto.randomUUID()}`);
  const name = join(import.meta.dir, "..", "..", "support", "models", "gated.ts");
  const settings = { "model.name": name, "model.gate": gate, "model.workers": 1 };
  return {
    settings: { ...settings, "model.inference_timeout_ms": 600_000, "limits.drain_timeout_ms": 600_000 },
    open: () => Bun.write(gate, ""),
  };
}

/** Starts a proxy as docs/proxies.md has it, for this server and one that does not run. */
async function proxyFor(kind: ProxyKind, server: ServeProcess): Promise<ReverseProxy> {
  return await ReverseProxy.start(kind, documented(kind, [server.port, await freePort()]));
}

async function sessionsOf({ url }: ServeProcess): Promise<number> {
  const info = (await (await fetch(`${url}/api/v1/info`)).json()) as { live: { sessions: number } };
  return info.live.sessions;
}

async function sendStereo(client: WebSocketClient, size: () => number): Promise<void> {
  client.start(STEREO);
  await client.sendInChunks(stereo, size);
  client.stop({ disconnect: true });
  await client.waitForClose();
}

/** Waits until the server has found the end of the last utterance of `audio`. */
async function allHeard(client: WebSocketClient): Promise<void> {
  await waitUntil("four utterances", () => client.eventsOf("inactive").length === 4);
}

describe.each(Object.keys(PROGRAMS) as ProxyKind[])("behind %s", (kind) => {
  const run = testWith(PROGRAMS[kind]);

  run("a recording gives the same events as without the proxy, and an exact ledger", async () => {
    await using server = await executable.serve(INSTANT);
    await using proxy = await proxyFor(kind, server);
    const random = seeded(1);
    const [direct, proxied] = [await server.connect(), await proxy.connect()];
    await sendStereo(direct, () => 1_000_000);
    await sendStereo(proxied, () => 1 + Math.floor(random() ** 4 * 300_000));
    const { stopped } = expectExactLedger(proxied.events, { bytes: stereo.length, frameBytes: 4 });
    expect(stopped.channels.map(({ segments }) => segments)).toEqual([3, 4]);
    expect(chunkInvariantEvents(proxied.events)).toEqual(chunkInvariantEvents(direct.events));
    expect(proxied.closed).toEqual({ code: 1000, reason: direct.closed?.reason ?? "" });
  });

  run("a slow model pauses the connection, and nothing is lost", async () => {
    await using server = await executable.serve({
      ...INSTANT,
      "model.delay": 0.03,
      "limits.read_ahead_seconds": 1,
      "limits.inbox_bytes": 4_096,
    });
    await using proxy = await proxyFor(kind, server);
    using client = await proxy.connect(SIMPLE);
    await sendStereo(client, () => 30_000);
    expectExactLedger(client.events, { bytes: stereo.length, frameBytes: 4 });
    expect((await ScrapedMetrics.from(server.url)).value("streamer_pauses_total")).toBeGreaterThan(0);
  });

  run("a graceful shutdown delivers the results, then `stopped` and the close 1001", async () => {
    const { settings, open } = gated();
    await using server = await executable.serve(settings);
    await using proxy = await proxyFor(kind, server);
    using client = await proxy.connect();
    client.start();
    await client.sendAudio(audio);
    await allHeard(client);
    server.signal("SIGTERM");
    await client.nextEvent("warning", ({ code }) => code === "draining");
    client.stop();
    await open();
    expect((await client.waitForClose()).code).toBe(1001);
    expect(expectExactLedger(client.events, SENT).stopped.channels[0]?.segments).toBe(4);
    expect(await server.waitForExit()).toEqual({ code: 0, signal: null });
  });

  run("while a server shuts down, new streams go to another one, and its open stream is finished", async () => {
    const { settings, open } = gated();
    await using one = await executable.serve(settings);
    await using two = await executable.serve(INSTANT);
    await using proxy = await ReverseProxy.start(kind, documented(kind, [one.port, two.port]));
    // Connections are distributed by load: the first two are on different servers.
    const clients = [await proxy.connect(), await proxy.connect()];
    for (const client of clients) client.start();
    await waitUntil("a session on each server", async () => {
      return (await sessionsOf(one)) === 1 && (await sessionsOf(two)) === 1;
    });
    for (const client of clients) await client.sendAudio(audio);
    for (const client of clients) await allHeard(client);
    one.signal("SIGTERM");
    await waitUntil("the server to drain", async () => (await fetch(`${one.url}/api/v1/ready`)).status === 503);
    for (let i = 0; i < 4; i++) {
      using client = await proxy.connect();
      expect((await client.sendStream(audio)).channels[0]?.segments).toBe(4);
    }
    for (const client of clients) client.stop();
    await open();
    for (const client of clients) {
      await client.nextEvent("stopped");
      expectExactLedger(client.events, SENT);
      client[Symbol.dispose]();
    }
  });

  run("a client that vanishes is noticed, also when the server had stopped reading from it", async () => {
    const { settings, open } = gated();
    await using server = await executable.serve({ ...settings, "limits.read_ahead_seconds": 0.5 });
    await using proxy = await proxyFor(kind, server);
    const quiet = await proxy.connect(SIMPLE);
    quiet.start();
    await quiet.nextEvent("started");
    quiet.reset();
    await waitUntil("the end of its session", async () => (await sessionsOf(server)) === 0);

    const paused = await proxy.connect(SIMPLE);
    paused.start();
    // More than all buffers on the way can hold.
    const flood = paused.sendInChunks(encode("s16", noise(1_000)), () => 100_000).catch(() => "reset");
    const pauses = async (): Promise<number> => (await ScrapedMetrics.from(server.url)).value("streamer_pauses_total");
    await waitUntil("a pause", async () => (await pauses()) > 0);
    paused.reset();
    expect(await withTimeout("the end of the flood", flood)).toBe("reset");
    // HAProxy closes its connection to the server once the server has read what it has buffered.
    await open();
    await waitUntil("the end of its session", async () => (await sessionsOf(server)) === 0);
    const stops = server.log.filter(({ event }) => event === "stream_stopped");
    expect(stops.map(({ reason }) => reason)).toEqual(["vanished", "vanished"]);
  });

  run(
    "a proxy that is trusted reports each client's address, whatever the client claims, and a refusal arrives as it is",
    async () => {
      const limits = { "limits.max_sessions_per_address": 1, "server.trusted_proxies": "127.0.0.1" };
      await using server = await executable.serve({ ...INSTANT, ...limits });
      await using proxy = await proxyFor(kind, server);
      using _first = await proxy.connect({ from: "127.0.0.2", headers: { "X-Forwarded-For": "192.0.2.1" } });
      using _other = await proxy.connect({ from: "127.0.0.3" });
      const second = proxy.connect({ from: "127.0.0.2", headers: { "X-Forwarded-For": "192.0.2.2" } });
      const refusal = await second.catch((error: unknown) => error);
      if (!(refusal instanceof UpgradeRefused)) throw new Error("the second session was not refused");
      expect(refusal).toMatchObject({ status: 429 });
      expect(refusal.headers.get("retry-after")).toBe("1");
      expect(JSON.parse(refusal.body)).toMatchObject({ type: "error", code: "too_many_sessions" });
    },
  );

  run(
    "web pages of the name that clients use may connect, and others may not, whatever the name of the upstream",
    async () => {
      const settings = { "server.trusted_proxies": "127.0.0.1", "server.hosts": "streamer.example" };
      await using server = await executable.serve({ ...INSTANT, ...settings });
      await using proxy = await proxyFor(kind, server);
      const status = async (host: string, page: string): Promise<number> => {
        const headers = { Host: host, Origin: `https://${page}`, Forwarded: "for=127.0.0.1;host=localhost" };
        const client = await proxy.connect({ headers }).catch((error: unknown) => error);
        if (client instanceof UpgradeRefused) return client.status;
        (client as WebSocketClient)[Symbol.dispose]();
        return 101;
      };
      expect(await status("streamer.example", "streamer.example")).toBe(101);
      expect(await status("streamer.example", "evil.example")).toBe(403);
      expect(await status("evil.example", "evil.example")).toBe(403);
    },
  );

  testWith(PROGRAMS[kind], openssl)("TLS ends in the proxy: `send` and `health` connect to it", async () => {
    await using server = await executable.serve(INSTANT);
    const { certificate, key, both } = await createCertificate(openssl!, executable.folder);
    const configuration = documented(kind, [server.port, await freePort()]);
    const change: [string, string] =
      kind === "haproxy"
        ? ["bind PORT", replaceEach(documentedLine("bind"), [":443", "PORT"], ["FILE", both])]
        : [
            "listen PORT;",
            [
              replaceEach(documentedLine("listen 443"), ["443", "PORT"]),
              replaceEach(documentedLine("ssl_certificate"), ["FILE", certificate]),
              replaceEach(documentedLine("ssl_certificate_key"), ["FILE", key]),
            ].join("\n"),
          ];
    await using proxy = await ReverseProxy.start(kind, replaceEach(configuration, change));
    const env = { NODE_EXTRA_CA_CERTS: certificate };
    const address = `wss://localhost:${proxy.port}/api/v1/segmented`;
    const sent = await executable.run(["send", "-i", RECORDING, "--addr", address, "--format", "json"], { env });
    expect(sent.code).toBe(0);
    expectExactLedger(parseEvents(sent.out), { bytes: stereo.length, frameBytes: 4 });
    const health = ["health", "--addr", `https://localhost:${proxy.port}`];
    expect(await executable.run(health, { env })).toMatchObject({ code: 0 });
    expect(await executable.run(health)).toMatchObject({ code: 1 });
  });

  run("the HTTP routes respond, with and without a path prefix", async () => {
    await using server = await executable.serve(INSTANT);
    const configuration = documented(kind, [server.port, await freePort()]);
    await using proxy = await ReverseProxy.start(
      kind,
      kind === "haproxy"
        ? replaceEach(configuration, ["  bind PORT\n", `  bind PORT\n  ${documentedLine("http-request")}\n`])
        : replaceEach(configuration, ["  location / {\n", `  location / {\n    ${documentedLine("rewrite")}\n`]),
    );
    for (const prefix of ["", "/speech"]) {
      const get = async (path: string): Promise<Response> => await fetch(`${proxy.url}${prefix}${path}`);
      for (const path of ["/api/v1/health", "/api/v1/ready", "/api/v1/info", "/api/v1/asyncapi.json"]) {
        const response = await get(path);
        expect([path, response.status]).toEqual([path, 200]);
        expect(await response.json()).toBeObject();
      }
      const metrics = await ScrapedMetrics.from(`${proxy.url}${prefix}`);
      expect(metrics.value("streamer_ready")).toBe(1);
      expect((await get("/api/v1/nothing")).status).toBe(404);
      using client = await proxy.connect({ path: `${prefix}/api/v1/segmented` });
      await client.sendStream(audio);
      expectExactLedger(client.events, SENT);
    }
  });
});

test("the suite has both proxies of docs/proxies.md", () => {
  expect(Object.keys(PROGRAMS)).toEqual(["haproxy", "nginx"]);
});
