import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Access } from "../../src/auth/access.ts";
import type { AdminAddress } from "../../src/config/admin-address.ts";
import { ProtocolError } from "../../src/protocol/errors.ts";
import { type AdminHost, AdminServer } from "../../src/server/admin.ts";
import { Edge } from "../../src/server/edge/edge.ts";
import type { ReloadResult } from "../../src/server/model-entry.ts";
import { guardOperatorPages } from "../../src/server/page-guard.ts";
import { openLog } from "../../src/telemetry/log/log.ts";
import { configure } from "../support/in-process-server.ts";

setDefaultTimeout(300_000);

const folder = mkdtempSync(join(tmpdir(), "streamer-admin-"));
afterAll(() => rmSync(folder, { recursive: true }));

const LOOPBACK: AdminAddress = { host: "127.0.0.1", port: 0, isLoopback: true };

async function openAdmin(address: AdminAddress, host: Partial<AdminHost> = {}, access?: Access): Promise<AdminServer> {
  const pages: AdminHost = {
    version: "1.2.3",
    unready: () => undefined,
    metrics: async (accept) => ({ contentType: "text/plain", body: `for ${accept}\n` }),
    describe: () => ({ sessions: 7 }),
    reload: async () => [],
    ...host,
  };
  const log = openLog({ level: "error", write: () => undefined });
  const { server } = configure({ "server.hosts": "admin.example" });
  const edge = new Edge({ server, forOperators: true, log, clock: () => 0 });
  return await AdminServer.open({ address, host: pages, edge, guard: guardOperatorPages(access), log });
}

test("the admin address refuses names that are not its own, so that no web page reads it by DNS rebinding", async () => {
  await using admin = await openAdmin(LOOPBACK);
  const status = async (Host: string) => (await fetch(`${admin.url}/metrics`, { headers: { Host } })).status;
  expect(await status("evil.example")).toBe(403);
  expect(await status("localhost:9091")).toBe(200);
  expect(await status("admin.example")).toBe(200);
  const path = join(folder, "any-name.sock");
  await using socket = await openAdmin({ path });
  expect(socket.url).toBe(`unix:${path}`);
  expect((await fetch("http://any.example/metrics", { unix: path })).status).toBe(200);
});

test("the admin address answers HTTP/1.0 without a Host header, as health checks of proxies send it", async () => {
  await using admin = await openAdmin(LOOPBACK);
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port: Number(new URL(admin.url).port),
    socket: {
      open: (opened) => void opened.write("GET /api/v1/ready HTTP/1.0\r\n\r\n"),
      data: (_, bytes) => resolve(String(bytes)),
    },
  });
  expect(await promise.finally(() => socket.end())).toStartWith("HTTP/1.1 200 ");
});

test("the admin address serves metrics, health, readiness, info and the contract", async () => {
  await using admin = await openAdmin(LOOPBACK);
  const get = (path: string) => fetch(`${admin.url}${path}`, { headers: { accept: "text/plain" } });
  expect(await (await get("/metrics")).text()).toBe("for text/plain\n");
  expect(await (await get("/api/v1/health")).json()).toEqual({ status: "healthy" });
  expect(await (await get("/api/v1/ready")).json()).toEqual({ status: "ready" });
  expect(await (await get("/api/v1/info")).json()).toMatchObject({ version: "1.2.3", sessions: 7 });
  expect(await (await get("/api/v1/asyncapi.json")).json()).toMatchObject({ asyncapi: "3.0.0" });
  const nothing = await get("/api/v1/simple");
  expect(nothing.status).toBe(404);
  expect(await nothing.text()).toContain("GET /metrics");
});

test("readiness at the admin address has the status and the code of what is missing", async () => {
  await using admin = await openAdmin(LOOPBACK, {
    unready: () => new ProtocolError("not_ready", "no process is ready"),
  });
  const answer = await fetch(`${admin.url}/api/v1/ready`);
  expect([answer.status, await answer.json()]).toEqual([503, expect.objectContaining({ code: "not_ready" })]);
});

test("a Unix socket is served, replaced when a killed server left it behind, and removed at the end", async () => {
  const path = join(folder, "admin.sock");
  {
    await using admin = await openAdmin({ path });
    expect(admin.url).toBe(`unix:${path}`);
    expect((await fetch("http://localhost/api/v1/health", { unix: path })).status).toBe(200);
    expect(openAdmin({ path })).rejects.toMatchObject({ code: "EADDRINUSE" });
  }
  expect(existsSync(path)).toBe(false);
  const script = `Bun.serve({ unix: ${JSON.stringify(path)}, fetch: () => new Response() }); process.kill(process.pid, 9)`;
  Bun.spawnSync([process.execPath, "-e", script]);
  expect(existsSync(path)).toBe(true);
  await using _admin = await openAdmin({ path });
  expect((await fetch("http://localhost/api/v1/health", { unix: path })).status).toBe(200);
});

test.each([
  [0, 0o770],
  [0o022, 0o750],
  [0o077, 0o700],
])("a Unix socket is closed to other users, with a umask of %d, too", async (umask, mode) => {
  const path = join(folder, `umask-${umask}.sock`);
  const before = process.umask(umask);
  try {
    await using _admin = await openAdmin({ path });
    expect(statSync(path).mode & 0o777).toBe(mode);
    expect(process.umask()).toBe(umask);
  } finally {
    process.umask(before);
  }
});

test("a file that is no socket is not removed for a Unix socket", async () => {
  const path = join(folder, "notes.txt");
  writeFileSync(path, "keep");
  expect(openAdmin({ path })).rejects.toThrow();
  expect(await Bun.file(path).text()).toBe("keep");
});

test("a POST to the admin address reloads models, and its status says what has become of it", async () => {
  const asked: (string | undefined)[] = [];
  let results: ReloadResult["result"][] = [];
  await using admin = await openAdmin(LOOPBACK, {
    reload: async (model) => {
      asked.push(model);
      if (model === "gone") throw new ProtocolError("draining", "the server is shutting down");
      return results.map((result) => ({ model: "m", result, generation: 2, earlier: [] }));
    },
  });
  const post = async (query = "") => await fetch(`${admin.url}/api/v1/reload${query}`, { method: "POST" });
  for (const [status, ...found] of [
    [200, "loaded", "loaded"],
    [422, "loaded", "failed"],
    [409, "loaded", "refused"],
    [422, "refused", "failed"],
    [200],
  ] as const) {
    results = [...found];
    const answer = await post("?model=a%20b");
    expect(answer.status).toBe(status);
    expect(((await answer.json()) as { models: ReloadResult[] }).models.map(({ result }) => result)).toEqual(results);
  }
  expect((await post("?model=gone")).status).toBe(503);
  await post();
  expect((await post("?model=a&model=b")).status).toBe(400);
  expect(asked).toEqual(["a b", "a b", "a b", "a b", "a b", "gone", undefined]);
});

test("a reload beyond loopback needs the token of an operator", async () => {
  const access = { operatorRefusal: () => new ProtocolError("unauthorized", "no") } as unknown as Access;
  let reloads = 0;
  const reload = async () => (reloads++, []);
  await using admin = await openAdmin(LOOPBACK, { reload }, access);
  expect((await fetch(`${admin.url}/api/v1/reload`, { method: "POST" })).status).toBe(401);
  expect(reloads).toBe(0);
});
