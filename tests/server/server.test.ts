import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Server } from "../../src/server/server.ts";
import { openLog } from "../../src/telemetry/log/log.ts";
import { encode, noise } from "../support/audio.ts";
import { configure, Running, workerUrl } from "../support/in-process.ts";
import { problemsOf, streamsOf } from "../support/ledgers.ts";

// Many times what any of these takes: a busy machine is not a fault.
setDefaultTimeout(120_000);

describe("a server", () => {
  test("port 0 takes a free port, which the URL shows", async () => {
    await using running = await Running.start();
    expect(running.url).toMatch(/^http:\/\/127\.0\.0\.1:[1-9]\d*$/);
  });

  test("throws when its port is in use, and leaves nothing running", async () => {
    await using running = await Running.start();
    using log = openLog({ level: "error", write: () => {} });
    const { server, ...others } = configure();
    const config = { ...others, server: { ...server, port: running.port } };
    expect(() => new Server({ config, log, version: "0", workerUrl })).toThrow(`port ${running.port} in use`);
  });

  test("rejects with one sentence when a model cannot be loaded", async () => {
    const folder = await mkdtemp(join(tmpdir(), "streamer-server-"));
    const path = join(folder, "broken.ts");
    await Bun.write(
      path,
      'export default { name: "broken", load() { throw new Error("its weights are missing"); } };\n',
    );
    await using running = await Running.start({ "model.name": path }, { load: false });
    expect(await running.server.load().catch(String)).toMatch(/broken\.ts.*its weights are missing/s);
    expect((await running.get("/api/v1/ready")).status).toBe(503);
    await rm(folder, { recursive: true });
  });

  test("counts its sessions", async () => {
    await using running = await Running.start();
    const peers = await Promise.all([running.connect(), running.connect(), running.connect()]);
    expect(running.server.sessions).toBe(3);
    for (const peer of peers) peer.reset();
    await running.settled();
  });

  test("checks deadlines by the clock that it is given", async () => {
    let now = 0;
    await using running = await Running.start({}, { clock: () => now });
    const peer = await running.connect();
    peer.start();
    await peer.next("started");
    now = 61_000;
    expect((await peer.next("error")).code).toBe("idle_timeout");
    expect(await peer.close()).toEqual({ code: 1008, reason: "idle_timeout" });
  });
});

describe("draining", () => {
  test("finishes running streams, warns their clients, closes with 1001 and returns", async () => {
    await using running = await Running.start({ "model.delay": 0.02 });
    const bytes = encode("s16", noise(2.3));
    const peer = await running.connect({ path: "/api/v1/simple" });
    const idle = await running.connect();
    peer.start();
    await peer.audio(bytes);
    await peer.next("segment");
    await running.server.drain();
    expect((await peer.close()).code).toBe(1001);
    expect((await idle.close()).code).toBe(1001);
    expect(peer.all("warning").map(({ code }) => code)).toEqual(["draining"]);
    const [stream] = streamsOf(peer.events);
    expect(stream?.stopped.reason).toBe("drain");
    expect(problemsOf(stream!, { bytes: bytes.length, frameBytes: 2 })).toEqual([]);
  });

  test("ends sessions at the drain time-out with errors for what is left", async () => {
    await using running = await Running.start({ "model.delay": 0.2, "limits.drain_timeout_ms": 300 });
    const peer = await running.connect({ path: "/api/v1/simple" });
    const bytes = encode("s16", noise(8));
    peer.start();
    await peer.audio(bytes);
    await peer.next("segment");
    await running.server.drain();
    expect((await peer.close()).code).toBe(1001);
    const [stream] = streamsOf(peer.events);
    expect(peer.all("error").length).toBeGreaterThan(5);
    expect(new Set(peer.all("error").map(({ code }) => code))).toEqual(new Set(["draining"]));
    expect(problemsOf(stream!, { bytes: bytes.length, frameBytes: 2 })).toEqual([]);
  });

  test("ends even if a client neither reads nor answers", async () => {
    await using running = await Running.start({ "limits.drain_timeout_ms": 0 });
    const peer = await running.connect();
    peer.mute = true;
    peer.pause();
    peer.start();
    await running.server.drain();
  });
});
