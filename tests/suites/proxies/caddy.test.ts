// Caddy, as docs/proxies.md has it. It is built from its sources, in minutes: `STREAMER_PROXIES=all`.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { encode } from "../../support/audio.ts";
import { BUILD_MS, type ServeProcess, sharedExecutable } from "../../support/executable.ts";
import { goProgram } from "../../support/go-program.ts";
import { GrpcClient } from "../../support/grpc-client.ts";
import type { Settings } from "../../support/in-process-server.ts";
import { partOfSample } from "../../support/killed-servers.ts";
import { expectExactLedger } from "../../support/ledgers.ts";
import { documentedWith, freePort } from "../../support/proxies.ts";
import { recorded } from "../../support/recorded.ts";
import { reportMissing, testWith } from "../../support/requirements.ts";
import { SendProcess } from "../../support/send-process.ts";
import { waitUntil } from "../../support/wait.ts";
import { UpgradeRefused, WebSocketClient } from "../../support/websocket-client.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(BUILD_MS + 120_000);

const isWanted = process.env["STREAMER_PROXIES"] === "all";
if (!isWanted) reportMissing("Caddy: STREAMER_PROXIES=all builds (0.5 GB) and runs it");
const caddy = isWanted ? await goProgram("github.com/caddyserver/caddy/v2/cmd/caddy", "v2.11.9") : undefined;
const run = testWith(caddy);

const executable = await sharedExecutable();
const audio = encode("s16", await recorded(1));
const SENT = { bytes: audio.length, frameBytes: 2 };
const INSTANT: Settings = { "model.workers": 1, "model.delay": 0, "model.constant_factor": 0, "model.jitter": 0 };

let folder = "";
let stop = async (): Promise<unknown> => undefined;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "streamer-caddy-"));
});
afterAll(async () => {
  await stop();
  await rm(folder, { recursive: true, force: true });
});

/** A server with a port for gRPC. */
interface Backend {
  readonly server: ServeProcess;
  readonly port: number;
}

async function serve(settings: Settings = {}): Promise<Backend> {
  const port = await freePort();
  const all = { ...INSTANT, "server.trusted_proxies": "127.0.0.1", "grpc.port": port, ...settings };
  return { server: await executable.serve(all), port };
}

/** Starts Caddy for two servers, in place of the one before. */
async function start(one: Backend, two: Backend): Promise<{ http: number; grpc: number }> {
  await stop();
  const [http, grpc] = [await freePort(), await freePort()];
  const servers = { 8080: one.server.port, 8081: two.server.port, 50051: one.port, 50052: two.port };
  const text = documentedWith("caddyfile", { 8000: http, 9000: grpc, ...servers });
  const path = join(folder, "Caddyfile");
  await Bun.write(path, text.replace("{\n", "{\n\tadmin off\n"));
  const command = [caddy ?? "", "run", "--config", path, "--adapter", "caddyfile"];
  const child = Bun.spawn(command, { env: { HOME: folder }, stdin: "ignore", stdout: "ignore", stderr: "ignore" });
  stop = async () => {
    child.kill("SIGKILL");
    await child.exited;
  };
  await waitUntil("Caddy", async () => {
    if (child.exitCode !== null) throw new Error(`Caddy exited with ${child.exitCode}`);
    return (await fetch(`http://127.0.0.1:${http}/api/v1/ready`).catch(() => undefined))?.ok === true;
  });
  return { http, grpc };
}

async function sessionsOf({ server }: Backend): Promise<number> {
  const info = (await (await fetch(`${server.url}/api/v1/info`)).json()) as { live: { sessions: number } };
  return info.live.sessions;
}

describe("behind Caddy", () => {
  run("streams go to the server with the fewest, and a server that shuts down gets no new ones", async () => {
    const [one, two] = [await serve(), await serve()];
    const { http } = await start(one, two);
    const clients = [await WebSocketClient.connect(http), await WebSocketClient.connect(http)];
    for (const client of clients) client.start();
    for (const client of clients) await client.nextEvent("started");
    expect([await sessionsOf(one), await sessionsOf(two)]).toEqual([1, 1]);
    one.server.signal("SIGTERM");
    await waitUntil("the drain", async () => (await fetch(`${one.server.url}/api/v1/ready`)).status === 503);
    // The first of them come before a check has failed: the server refuses them, and Caddy asks the other one.
    for (let i = 0; i < 4; i++) {
      using client = await WebSocketClient.connect(http);
      expect((await client.sendStream(audio)).channels[0]?.segments).toBe(4);
      const body = new Blob([audio.slice(0, i % 2 === 0 ? 2_000 : audio.length) as Uint8Array<ArrayBuffer>]);
      const path = "/v1/listen?encoding=linear16&sample_rate=16000";
      expect((await fetch(`http://127.0.0.1:${http}${path}`, { method: "POST", body })).status).toBe(200);
    }
    for (const client of clients) {
      await client.sendAudio(audio);
      client.stop();
      await client.nextEvent("stopped");
      expectExactLedger(client.events, SENT);
      client[Symbol.dispose]();
    }
    expect(await one.server.waitForExit()).toEqual({ code: 0, signal: null });
  });

  run("each client's address and name are reported, whatever the client claims", async () => {
    const only = await serve({ "limits.max_sessions_per_address": 1, "server.hosts": "streamer.example" });
    const { http } = await start(only, only);
    const claim = { Forwarded: "for=127.0.0.1;host=localhost", "X-Forwarded-For": "192.0.2.1" };
    using _first = await WebSocketClient.connect(http, { from: "127.0.0.2", headers: claim });
    using _other = await WebSocketClient.connect(http, { from: "127.0.0.3" });
    const again = { from: "127.0.0.2", headers: { "X-Forwarded-For": "192.0.2.2" } };
    const second = await WebSocketClient.connect(http, again).catch((error: unknown) => error);
    if (!(second instanceof UpgradeRefused)) throw new Error("the second session was not refused");
    expect(second.status).toBe(429);
    const foreign = { headers: { Host: "evil.example", Origin: "https://evil.example" } };
    const page = await WebSocketClient.connect(http, foreign).catch((error: unknown) => error);
    if (!(page instanceof UpgradeRefused)) throw new Error("the foreign page was not refused");
    expect(page.status).toBe(403);
  });

  run("calls of one connection of gRPC go to both servers, and a server that shuts down finishes its own", async () => {
    const [one, two] = [await serve(), await serve()];
    const { grpc } = await start(one, two);
    const part = await partOfSample(executable);
    await using sending = new SendProcess(executable, ["--grpc", ...part, "--addr", `localhost:${grpc}`]);
    await waitUntil("speech", () => sending.out.includes("speech begins"));
    using client = new GrpcClient(grpc);
    const request = { start: { pattern: "simple", format: { channels: 1, sample_rate: 16_000, bit_depth: 16 } } };
    const call = client.call().write(request);
    await call.event("started");
    expect([await sessionsOf(one), await sessionsOf(two)]).toEqual([1, 1]);
    expect((await call.end().status()).code).toBe(0);
    for (const { server } of [one, two]) server.signal("SIGTERM");
    const { code, out } = await sending.result();
    expect(out).toContain("the ledger adds up");
    expect(code).toBe(0);
  });
});

test("STREAMER_PROXIES has a value that is known", () => {
  expect(process.env["STREAMER_PROXIES"] ?? "").toBeOneOf(["", "all"]);
});
