import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { ProtocolError } from "../../src/protocol/errors.ts";
import { Server } from "../../src/server/server.ts";
import { openLog } from "../../src/telemetry/log/log.ts";
import { encode, noise } from "../support/audio.ts";
import { configure, InProcessServer, workerUrl } from "../support/in-process-server.ts";
import { expectExactLedger } from "../support/ledgers.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

describe("a server", () => {
  test("with port 0 listens on a free port, which its URL has", async () => {
    await using server = await InProcessServer.start();
    expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:[1-9]\d*$/);
  });

  test("throws when its port is in use", async () => {
    await using server = await InProcessServer.start();
    using log = openLog({ level: "error", write: () => {} });
    const free = configure();
    const config = { ...free, server: { ...free.server, port: server.port } };
    expect(() => new Server({ config, log, program: { version: "0", workerUrl, modelCommand: [] } })).toThrow(
      `port ${server.port} in use`,
    );
  });

  test("load rejects with a sentence that names the model and the reason", async () => {
    const folder = await mkdtemp(join(tmpdir(), "streamer-server-"));
    const path = join(folder, "broken.ts");
    await Bun.write(
      path,
      'export default { name: "broken", load() { throw new Error("its weights are missing"); } };\n',
    );
    await using server = await InProcessServer.start({ "model.name": path }, { load: false });
    expect(await server.load().catch(String)).toMatch(/broken\.ts.*its weights are missing/s);
    expect((await server.fetch("/api/v1/ready")).status).toBe(503);
    await rm(folder, { recursive: true });
  });

  test("counts its sessions", async () => {
    await using server = await InProcessServer.start();
    const clients = await Promise.all([server.connect(), server.connect(), server.connect()]);
    expect(server.sessions).toBe(3);
    for (const client of clients) client.reset();
    await server.waitUntilIdle();
  });

  test("checks time-outs by the clock of its options", async () => {
    let now = 0;
    await using server = await InProcessServer.start({}, { clock: () => now });
    const client = await server.connect();
    client.start();
    await client.nextEvent("started");
    now = 61_000;
    expect((await client.nextEvent("error")).code).toBe("idle_timeout");
    expect(await client.waitForClose()).toEqual({ code: 1008, reason: "idle_timeout" });
  });
});

describe("draining", () => {
  test("lets a stream go on until its stop, then closes with 1001; a session without a stream is closed at once", async () => {
    await using server = await InProcessServer.start();
    const bytes = encode("s16", noise(2.3));
    const client = await server.connect({ path: "/api/v1/simple" });
    const idle = await server.connect();
    client.start();
    await client.sendAudio(bytes);
    await client.nextEvent("segment");
    const drained = server.drain();
    expect(await client.nextEvent("warning")).toMatchObject({ code: "draining", deadline_ms: 30_000 });
    expect((await idle.waitForClose()).code).toBe(1001);
    await client.sendAudio(bytes);
    await client.nextEvent("segment", ({ end_time }) => end_time > 4);
    client.stop();
    expect((await client.waitForClose()).code).toBe(1001);
    await drained;
    expect(server.sessions).toBe(0);
    const { stopped } = expectExactLedger(client.events, { bytes: 2 * bytes.length, frameBytes: 2 });
    expect(stopped).toMatchObject({ reason: "stop", channels: [{ failed: 0 }] });
    expect(client.eventsOf("error")).toEqual([]);
  });

  test("finishes what was received at limits.drain_timeout_ms, or at once with limits.drain now", async () => {
    for (const settings of [{ "limits.drain_timeout_ms": 300 }, { "limits.drain": "now" }]) {
      await using server = await InProcessServer.start({ "model.delay": 0.02, ...settings });
      const bytes = encode("s16", noise(2.3));
      const client = await server.connect({ path: "/api/v1/simple" });
      client.start();
      await client.sendAudio(bytes);
      await client.nextEvent("segment");
      await server.drain();
      expect((await client.waitForClose()).code).toBe(1001);
      const deadline_ms = "limits.drain" in settings ? 0 : 300;
      expect(client.eventsOf("warning")).toMatchObject([{ code: "draining", deadline_ms }]);
      const { stopped } = expectExactLedger(client.events, { bytes: bytes.length, frameBytes: 2 });
      expect(stopped).toMatchObject({ reason: "drain", channels: [{ failed: 0 }] });
    }
  });

  test("ends sessions after limits.finish_ms, with errors for the spans without a result", async () => {
    const limits = { "limits.drain_timeout_ms": 100, "limits.finish_ms": 200 };
    await using server = await InProcessServer.start({ "model.delay": 60, "model.warmup_penalty": 0, ...limits });
    const client = await server.connect({ path: "/api/v1/simple" });
    const bytes = encode("s16", noise(8));
    client.start();
    await client.sendAudio(bytes);
    await client.nextEvent("started");
    await server.drain();
    expect((await client.waitForClose()).code).toBe(1001);
    expect(client.eventsOf("error").length).toBeGreaterThan(5);
    expect(new Set(client.eventsOf("error").map(({ code }) => code))).toEqual(new Set(["draining"]));
    expectExactLedger(client.events, { bytes: bytes.length, frameBytes: 2 });
  });

  test("waits for the requests that are being answered", async () => {
    const admission = Promise.withResolvers<ProtocolError>();
    const asked = Promise.withResolvers<void>();
    const admit = async (): Promise<ProtocolError> => {
      asked.resolve();
      return await admission.promise;
    };
    await using server = await InProcessServer.start({}, { admit });
    const refused = server.connect().catch((error: unknown) => error);
    await asked.promise;
    let done = false;
    const drained = server.drain().then(() => (done = true));
    await Bun.sleep(300);
    expect(done).toBeFalse();
    admission.resolve(new ProtocolError("unauthorized", "nobody"));
    await drained;
    expect(await refused).toMatchObject({ status: 401 });
  });

  test("ends even if a client neither reads nor answers the close frame", async () => {
    await using server = await InProcessServer.start({ "limits.drain_timeout_ms": 0 });
    const client = await server.connect();
    client.unresponsive = true;
    client.pause();
    client.start();
    await server.drain();
  });
});
