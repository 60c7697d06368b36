import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";

import type { ServerEvent } from "../../src/protocol/events.ts";
import { encode, freshSeed, noise, seeded, speech, wav } from "../support/audio.ts";
import { BUILD_MS, Program } from "../support/executable.ts";
import { problemsOf, streamsOf } from "../support/ledgers.ts";
import { S16_MONO } from "../support/peer.ts";
import { waitUntil } from "../support/wait.ts";

// Many times what any of these takes: a busy machine is not a fault.
setDefaultTimeout(120_000);

let program: Program;

beforeAll(async () => {
  program = await Program.create();
}, BUILD_MS);

afterAll(async () => {
  await program[Symbol.asyncDispose]();
});

const QUICK = { "model.workers": 2, "model.delay": 0.002, "model.warmup_penalty": 1 };

describe("the executable in an empty folder", () => {
  test("serves, sends to itself, and leaves no files behind", async () => {
    expect(await readdir(program.folder)).toEqual(["streamer"]);
    const server = await program.serve(QUICK);
    const spoken = speech([0.6, 0.8], { rate: 44_100 });
    const file = wav(
      { ...S16_MONO, channels: 2, sample_rate: 44_100 },
      encode("s16", spoken, noise(spoken.length / 44_100, { rate: 44_100 })),
    );
    const addr = `ws://127.0.0.1:${server.port}/api/v1/segmented`;
    const { code, out, err } = await program.run(["send", "-i", "-", "--addr", addr, "--format", "json"], {
      input: file,
    });
    expect({ code, err: code === 0 ? "" : err }).toEqual({ code: 0, err: "" });
    const events = out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as ServerEvent);
    const [stream] = streamsOf(events);
    expect(problemsOf(stream!, { bytes: spoken.length * 4, frameBytes: 4 })).toEqual([]);
    expect(stream?.stopped.channels.map(({ segments }) => segments)).toEqual([2, 0]);
    server.signal("SIGTERM");
    expect(await server.ended()).toEqual({ code: 0, signal: null });
    expect(await readdir(program.folder)).toEqual(["streamer"]);
  });

  test("prints one line on standard output, and JSON on standard error", async () => {
    const server = await program.serve(QUICK);
    const peer = await server.connect({ path: "/api/v1/simple" });
    peer.start();
    await peer.audio(encode("s16", noise(0.7)));
    peer.say("nonsense");
    await peer.next("segment");
    peer.reset();
    server.signal("SIGTERM");
    await server.ended();
    expect(server.out).toBe(`listening on http://127.0.0.1:${server.port}\n`);
    expect(server.log.map((record) => record["event"])).toContain("stream_stopped");
    expect(server.log.map((record) => record["event"])).toContain("stopped");
  });

  test("answers the routes", async () => {
    const server = await program.serve(QUICK);
    for (const [path, status] of [
      ["/", 200],
      ["/api/v1/health", 200],
      ["/api/v1/ready", 200],
      ["/api/v1/asyncapi.json", 200],
      ["/x", 404],
    ] as const) {
      expect([path, (await fetch(`${server.url}${path}`)).status]).toEqual([path, status]);
    }
  });

  test("continues after workers crash", async () => {
    const server = await program.serve({ ...QUICK, "model.panic_rate": 0.5 });
    const peer = await server.connect({ path: "/api/v1/simple" });
    const bytes = encode("s16", noise(10));
    peer.start();
    await peer.audio(bytes);
    peer.stop();
    await peer.next("stopped");
    expect(problemsOf(streamsOf(peer.events)[0]!, { bytes: bytes.length, frameBytes: 2 })).toEqual([]);
    expect(peer.all("error").length).toBeGreaterThan(0);
    expect(peer.all("segment").length).toBeGreaterThan(0);
  });
});

describe("a signal", () => {
  const seed = freshSeed();

  test(`SIGTERM at a random moment under load: every result arrives, 1001, exit 0 (seed ${seed})`, async () => {
    const random = seeded(seed);
    const server = await program.serve({ ...QUICK, "model.delay": 0.01, "model.jitter": 0.01 });
    const peers = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        server.connect({ path: n % 2 === 0 ? "/api/v1/simple" : "/api/v1/segmented" }),
      ),
    );
    const bytes = encode("s16", speech([0.5, 0.6, 0.7, 0.4, 0.5]));
    const sent = Promise.all(
      peers.map(async (peer) => {
        while (peer.closed === undefined) {
          peer.start();
          for (let at = 0; at < bytes.length && peer.closed === undefined;) {
            const end = at + 1 + Math.floor(random() * 20_000);
            // A send fails when the server has closed the connection, which ends the loop.
            await peer.audio(bytes.subarray(at, end)).catch(() => {});
            at = end;
            // Lets the event loop read; without a pause, writing would starve it.
            await new Promise((resolve) => setImmediate(resolve));
          }
          peer.stop();
        }
      }),
    );
    await Promise.all(peers.map((peer) => peer.next("started")));
    await Bun.sleep(random() * 1_000);
    server.signal("SIGTERM");
    expect(await server.ended()).toEqual({ code: 0, signal: null });
    for (const peer of peers) {
      expect((await peer.close()).code).toBe(1001);
      // Everything that was received has a result, or there was no stream.
      for (const stream of streamsOf(peer.events)) {
        expect(problemsOf(stream)).toEqual([]);
        expect(stream.stopped.channels[0]?.failed).toBe(0);
      }
      expect(peer.all("error")).toEqual([]);
      expect(peer.all("warning").map(({ code }) => code)).toContain("draining");
    }
    await sent;
  });

  test("SIGINT does the same", async () => {
    const server = await program.serve(QUICK);
    const peer = await server.connect({ path: "/api/v1/simple" });
    peer.start();
    await peer.audio(encode("s16", noise(0.3)));
    await peer.next("started");
    server.signal("SIGINT");
    expect(await server.ended()).toEqual({ code: 0, signal: null });
    expect((await peer.close()).code).toBe(1001);
    expect(streamsOf(peer.events)[0]?.stopped).toMatchObject({ reason: "drain", channels: [{ failed: 0 }] });
  });

  test("SIGHUP shuts the server down gracefully, as when its terminal is closed", async () => {
    const server = await program.serve();
    server.signal("SIGHUP");
    expect(await server.ended()).toEqual({ code: 0, signal: null });
    expect(server.log.some((record) => record["event"] === "draining")).toBeTrue();
  });

  test("a second one ends the server at once", async () => {
    for (const [first, second, code] of [
      ["SIGTERM", "SIGTERM", 143],
      ["SIGINT", "SIGTERM", 143],
      ["SIGTERM", "SIGINT", 130],
      ["SIGINT", "SIGHUP", 129],
    ] as const) {
      const server = await program.serve({ "model.workers": 1, "model.delay": 60, "model.warmup_penalty": 0 });
      const peer = await server.connect({ path: "/api/v1/simple" });
      peer.start();
      await peer.audio(encode("s16", noise(0.6)));
      await peer.next("started");
      server.signal(first);
      await peer.next("warning");
      server.signal(second);
      expect(await server.ended()).toEqual({ code, signal: null });
      expect(server.log.some((record) => record["event"] === "stopped_at_once")).toBeTrue();
    }
  });

  test("before the models are loaded ends the server with 0 and without output", async () => {
    const server = program.launch({ "model.workers": 1, "model.delay": 30 });
    // Nothing is printed before the models are loaded, so there is nothing to wait for.
    await Bun.sleep(1_000);
    server.signal("SIGTERM");
    expect(await server.ended()).toEqual({ code: 0, signal: null });
    expect(server.out).toBe("");
  });

  test("ends the server at the drain timeout, exit 0, if a model does not finish: the rest has failed", async () => {
    const server = await program.serve({
      "model.workers": 1,
      "model.delay": 60,
      "model.warmup_penalty": 0,
      "limits.drain_timeout_ms": 300,
    });
    const peer = await server.connect({ path: "/api/v1/simple" });
    const bytes = encode("s16", noise(1.3));
    peer.start();
    await peer.audio(bytes);
    await waitUntil("the audio is in the model", async () => {
      const { live } = (await (await fetch(`${server.url}/api/v1/info`)).json()) as {
        live: { queue: { running: number } };
      };
      return live.queue.running > 0;
    });
    server.signal("SIGTERM");
    expect(await server.ended()).toEqual({ code: 0, signal: null });
    expect((await peer.close()).code).toBe(1001);
    const [stream] = streamsOf(peer.events);
    expect(stream?.stopped).toMatchObject({ reason: "drain", channels: [{ failed: 20_800 }] });
    expect(problemsOf(stream!)).toEqual([]);
  });
});

describe("a server that was frozen", () => {
  test("ends no session and fails no call for the time in which it could not run", async () => {
    const server = await program.serve({
      "limits.idle_timeout_ms": 1_000,
      "model.name": join(import.meta.dir, "..", "support", "models", "busy.ts"),
      "model.workers": 1,
      "model.inference_timeout_ms": 2_000,
    });
    const silent = await server.connect({ path: "/api/v1/segmented" });
    const busy = await server.connect({ path: "/api/v1/simple" });
    const silence = new Uint8Array(16_000);
    for (const peer of [silent, busy]) {
      peer.start();
      await peer.next("started");
    }
    await busy.audio(encode("s16", noise(0.5)));
    await silent.audio(silence);
    await Bun.sleep(300);
    server.signal("SIGSTOP");
    await silent.audio(silence);
    await Bun.sleep(3_000);
    server.signal("SIGCONT");
    await silent.audio(silence);
    for (const peer of [silent, busy]) {
      peer.stop();
      await peer.next("stopped");
      expect(peer.all("error")).toEqual([]);
    }
    const [ledgers] = [silent, busy].map((peer) => streamsOf(peer.events).map(({ stopped }) => stopped.channels));
    expect(ledgers).toMatchObject([[{ received: 24_000, failed: 0 }]]);
  });
});

describe("the command line of serve", () => {
  test("a port in use gives one sentence and exit code 1", async () => {
    const server = await program.serve(QUICK);
    const { code, out, err } = await program.run(["serve", "--port", String(server.port)]);
    expect([code, out]).toEqual([1, ""]);
    expect(err).toContain(`port ${server.port} of 127.0.0.1 is in use`);
    expect(err.trim().split("\n")).toHaveLength(1);
  });

  test("--print-config prints every key with its value, unit and source, and does not serve", async () => {
    await Bun.write(
      join(program.folder, "config.json"),
      JSON.stringify({ model: { delay: 0.5 }, limits: { arena_mb: 64 } }),
    );
    const { code, out } = await program.run(
      ["serve", "--config", "config.json", "--port", "9", "--set", "simple.block_ms=200", "--print-config"],
      { env: { STREAMER__LIMITS__MAX_SESSIONS: "7" } },
    );
    expect(code).toBe(0);
    const line = (key: string): string => out.split("\n").find((each) => each.startsWith(`${key} `)) ?? "";
    expect(line("model.delay")).toMatch(/0\.5.*config\.json/);
    expect(line("limits.arena_mb")).toMatch(/64 MiB.*config\.json/);
    expect(line("server.port")).toMatch(/9 .*--port/);
    expect(line("simple.block_ms")).toMatch(/200 ms.*--set/);
    expect(line("limits.max_sessions")).toMatch(/7 sessions.*STREAMER__LIMITS__MAX_SESSIONS/);
    expect(line("limits.session_ms")).toMatch(/ms .*default/);
  });

  test("an invalid configuration is refused with all its problems at once, and exit code 2", async () => {
    await Bun.write(
      join(program.folder, "bad.json"),
      JSON.stringify({ model: { delay: "slow", dealy: 1 }, limits: { arena_mb: 0 } }),
    );
    const { code, out, err } = await program.run([
      "serve",
      "--config",
      "bad.json",
      "--port",
      "99999",
      "--set",
      "vad.threshold_db=99",
    ]);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain('did you mean "delay"?');
    for (const name of ["delay", "dealy", "limits.arena_mb", "server.port", "vad.threshold_db"])
      expect(err).toContain(name);
  });

  test("a config.json with nothing but model settings works", async () => {
    const model = {
      delay: 0.01,
      constant_factor: 0.3,
      jitter: 0.01,
      failure_rate: 0.01,
      panic_rate: 0.0,
      warmup_penalty: 10.0,
    };
    await Bun.write(join(program.folder, "model-only.json"), JSON.stringify({ model }));
    const server = await program.serve({}, ["--config", "model-only.json", "--workers", "1"]);
    expect((await fetch(`${server.url}/api/v1/ready`)).status).toBe(200);
  });

  test("a .env file in the current folder is not read", async () => {
    await Bun.write(join(program.folder, ".env"), "STREAMER__LIMITS__MAX_SESSIONS=3\n");
    const { out } = await program.run(["serve", "--print-config"]);
    expect(out).toMatch(/limits\.max_sessions +10000 sessions +default/);
  });
});
