// Calls of gRPC and files through the proxies of docs/proxies.md.

import { describe, expect, setDefaultTimeout } from "bun:test";
import { join } from "node:path";

import { BUILD_MS, parseEvents, type ServeProcess, sharedExecutable } from "../../support/executable.ts";
import { GrpcClient, type GrpcTestCall } from "../../support/grpc-client.ts";
import type { Settings } from "../../support/in-process-server.ts";
import { partOfSample } from "../../support/killed-servers.ts";
import {
  createCertificate,
  documented,
  documentedGrpc,
  documentedLine,
  freePort,
  PROGRAMS,
  type ProxyKind,
  replaceEach,
  ReverseProxy,
} from "../../support/proxies.ts";
import { RECORDING } from "../../support/recorded.ts";
import { testWith, tool } from "../../support/requirements.ts";
import { SendProcess } from "../../support/send-process.ts";
import { waitUntil } from "../../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(BUILD_MS + 120_000);

const executable = await sharedExecutable();
const openssl = tool("openssl", "openssl");
const INSTANT: Settings = {
  ...{ "model.workers": 1, "model.delay": 0, "model.constant_factor": 0, "model.jitter": 0 },
  "server.trusted_proxies": "127.0.0.1",
};
const START = { start: { pattern: "simple", format: { channels: 1, sample_rate: 16_000, bit_depth: 16 } } };

/** What the page says of each proxy, with times that a test can wait for, and sizes that nginx has by default. */
const WITHOUT: Readonly<Record<ProxyKind, readonly [string, string][]>> = {
  haproxy: [["  timeout server 1h\n", "  timeout server 2s\n"]],
  nginx: [
    ["client_body_timeout 1h;", "client_body_timeout 2s;"],
    ["grpc_read_timeout 1h;", "grpc_read_timeout 2s;"],
    ["client_max_body_size 0;", "client_max_body_size 1m;"],
  ],
};

/** A server with a port for gRPC. */
interface Backend {
  readonly server: ServeProcess;
  readonly port: number;
}

async function serve(settings: Settings = {}): Promise<Backend> {
  const port = await freePort();
  return { server: await executable.serve({ ...INSTANT, "grpc.port": port, ...settings }), port };
}

function configurationFor(kind: ProxyKind, one: Backend, two: Backend): string {
  return documentedGrpc(kind, [one.port, two.port], [one.server.port, two.server.port]);
}

const finalsOf = (out: string): string[] =>
  parseEvents(out)
    .filter(({ type }) => type === "segment")
    .map((event) => JSON.stringify(Object.entries(event).toSorted()))
    .toSorted();

async function sessionsOf({ server }: Backend): Promise<number> {
  const info = (await (await fetch(`${server.url}/api/v1/info`)).json()) as { live: { sessions: number } };
  return info.live.sessions;
}

async function opened(client: GrpcClient, metadata: Record<string, string> = {}): Promise<GrpcTestCall> {
  const call = client.call({ metadata }).write(START);
  await call.event("started");
  return call;
}

describe.each(Object.keys(PROGRAMS) as ProxyKind[])("gRPC behind %s", (kind) => {
  const run = testWith(PROGRAMS[kind]);

  run("a recording gives the same finals, and calls of one connection go to the servers in turn", async () => {
    const [one, two] = [await serve({ "limits.max_sessions_per_address": 1 }), await serve()];
    await using proxy = await ReverseProxy.start(kind, configurationFor(kind, one, two));
    const send = ["send", "-i", RECORDING, "--format", "json", "--addr"];
    const direct = await executable.run([...send, `localhost:${one.server.port}`]);
    const proxied = await executable.run([...send, `localhost:${proxy.port}`, "--grpc"]);
    expect([direct.code, proxied.code]).toEqual([0, 0]);
    expect(finalsOf(proxied.out)).toHaveLength(7);
    expect(finalsOf(proxied.out)).toEqual(finalsOf(direct.out));
    expect(proxied.err).toContain("the ledger adds up: every sample that was sent is accounted for");

    using client = new GrpcClient(proxy.port);
    const calls = [await opened(client), await opened(client)];
    expect([await sessionsOf(one), await sessionsOf(two)]).toEqual([1, 1]);
    for (const call of calls) expect((await call.end().status()).code).toBe(0);
  });

  run("a trusted proxy reports each client's address, whatever the client claims", async () => {
    const only = await serve({ "limits.max_sessions_per_address": 1 });
    await using proxy = await ReverseProxy.start(kind, configurationFor(kind, only, only));
    using client = new GrpcClient(proxy.port);
    // Programs of the machine itself have no limit, so the client is one that a proxy before this one has seen.
    const chained = { "x-forwarded-for": "192.0.2.1" };
    const held = await opened(client, chained);
    const second = await client
      .call({ metadata: { "x-forwarded-for": "198.51.100.7, 192.0.2.1" } })
      .write(START)
      .status();
    expect(second).toMatchObject({ code: 8, error: "too_many_sessions" });
    expect((await held.end().status()).code).toBe(0);
  });

  run("while a server shuts down, new calls go to the other one, and its open stream is finished", async () => {
    const [one, two] = [await serve(), await serve()];
    await using proxy = await ReverseProxy.start(kind, configurationFor(kind, one, two));
    const part = await partOfSample(executable);
    await using sending = new SendProcess(executable, ["--grpc", ...part, "--addr", `localhost:${proxy.port}`]);
    await waitUntil("speech", () => sending.out.includes("speech begins"));
    const draining = (await sessionsOf(one)) === 1 ? one : two;
    const other = draining === one ? two : one;
    draining.server.signal("SIGTERM");
    using client = new GrpcClient(proxy.port);
    // A proxy may send the first ones to the server that drains; it refuses them, so that a client can try again.
    await waitUntil("a call on the other server", async () => {
      const call = client.call().write(START).end();
      const { code } = await call.status();
      expect([0, 14]).toContain(code);
      return code === 0;
    });
    const { code, out } = await sending.result();
    expect(out).toContain("warning draining");
    expect(out).toContain("the ledger adds up");
    expect(code).toBe(0);
    expect(await draining.server.waitForExit()).toEqual({ code: 0, signal: null });
    // Nobody listens there any more: proxies try the other one before the client notices.
    for (let i = 0; i < 4; i++) expect((await client.call().write(START).end().status()).code).toBe(0);
    expect(await sessionsOf(other)).toBe(0);
  });

  run("without the documented times and sizes, calls are cut off", async () => {
    const only = await serve({ "limits.idle_timeout_ms": 8_000 });
    const configuration = configurationFor(kind, only, only);
    for (const change of WITHOUT[kind]) {
      await using proxy = await ReverseProxy.start(kind, replaceEach(configuration, change));
      using client = new GrpcClient(proxy.port);
      const call = await opened(client);
      // More than a megabyte, and then nothing for two seconds.
      for (let i = 0; i < 40; i++) call.write({ audio: new Uint8Array(32_000) });
      const { code, error } = await call.status();
      expect([change, code === 0, error]).toEqual([change, false, undefined]);
    }
  });

  testWith(PROGRAMS[kind], openssl)("TLS ends in the proxy", async () => {
    const only = await serve();
    const { certificate, key, both } = await createCertificate(openssl!, executable.folder);
    const change: [string, string] =
      kind === "haproxy"
        ? ["bind PORT proto h2", replaceEach(documentedLine("bind :9443"), [":9443", "PORT"], ["FILE", both])]
        : [
            "listen PORT http2;",
            [
              replaceEach(documentedLine("listen 9443"), ["9443", "PORT"]),
              replaceEach(documentedLine("ssl_certificate"), ["FILE", certificate]),
              replaceEach(documentedLine("ssl_certificate_key"), ["FILE", key]),
            ].join("\n"),
          ];
    await using proxy = await ReverseProxy.start(kind, replaceEach(configurationFor(kind, only, only), change));
    const send = ["send", "--grpc", "-i", RECORDING, "--addr", `https://localhost:${proxy.port}`, "--ca", certificate];
    expect(await executable.run(send)).toMatchObject({ code: 0, out: expect.stringContaining("7 final results") });
  });
});

describe.each(Object.keys(PROGRAMS) as ProxyKind[])("files behind %s", (kind) => {
  testWith(PROGRAMS[kind])("get their text; a server that shuts down is no error for its client", async () => {
    const gate = join(executable.folder, `gate-${crypto.randomUUID()}`);
    const support = join(import.meta.dir, "..", "..", "support", "models");
    const slow = { "model.name": join(support, "gated.ts"), "model.gate": gate, "limits.drain_timeout_ms": 600_000 };
    await using one = await executable.serve({ "model.workers": 1, ...slow });
    await using two = await executable.serve({ "model.workers": 1, "model.name": join(support, "words.ts") });
    await using proxy = await ReverseProxy.start(kind, documented(kind, [one.port, two.port]));
    const post = async (body: Blob): Promise<Response> =>
      await fetch(`${proxy.url}/v1/listen?encoding=linear16&sample_rate=48000&channels=2`, { method: "POST", body });
    using first = await one.connect({ path: "/api/v1/simple" });
    first.start();
    await first.sendAudio(new Uint8Array(16_000));
    await first.nextEvent("started");
    one.signal("SIGTERM");
    await waitUntil("the server to drain", async () => (await fetch(`${one.url}/api/v1/ready`)).status === 503);
    const file = Bun.file(RECORDING).slice(44);
    let answered = 0;
    // The first one is larger than what nginx takes by default, the second one fits into a buffer of HAProxy.
    for (const bytes of [file.size, 8_000, 1_200_000, 8_000]) {
      const response = await post(file.slice(0, bytes));
      if (response.status === 200) answered++;
      // HAProxy cannot send a large file again: its client is told when to try.
      else
        expect([kind, bytes > 8_000, response.status, response.headers.has("retry-after")]).toEqual([
          "haproxy",
          true,
          503,
          true,
        ]);
      await response.body?.cancel();
    }
    expect(answered).toBeGreaterThan(1);
    first.stop();
    await Bun.write(gate, "");
    expect(await one.waitForExit()).toEqual({ code: 0, signal: null });
  });
});
