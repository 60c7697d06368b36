import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";

import { encode, freshSeed, noise, seeded, speech, wav } from "../support/audio.ts";
import { drainUnderLoad } from "../support/drain-under-load.ts";
import { parseEvents, sharedExecutable } from "../support/executable.ts";
import { expectExactLedger, onlyStream } from "../support/ledgers.ts";
import { S16_MONO } from "../support/requests.ts";
import { afterCopies, waitForHandler } from "../support/signal-handlers.ts";
import { waitUntil, withTimeout } from "../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const executable = await sharedExecutable();

const FAST_MODEL = { "model.workers": 2, "model.delay": 0.002, "model.warmup_penalty": 1 };

describe("the executable in an empty folder", () => {
  test("serves and sends, and creates no files", async () => {
    expect(await readdir(executable.folder)).toEqual(["streamer"]);
    const server = await executable.serve(FAST_MODEL);
    const spoken = speech([0.6, 0.8], { rate: 44_100 });
    const file = wav(
      { ...S16_MONO, channels: 2, sample_rate: 44_100 },
      encode("s16", spoken, noise(spoken.length / 44_100, { rate: 44_100 })),
    );
    const addr = `ws://127.0.0.1:${server.port}/api/v1/segmented`;
    const { code, out, err } = await executable.run(["send", "-i", "-", "--addr", addr, "--format", "json"], {
      input: file,
    });
    expect({ code, err: code === 0 ? "" : err }).toEqual({ code: 0, err: "" });
    const stream = expectExactLedger(parseEvents(out), { bytes: spoken.length * 4, frameBytes: 4 });
    expect(stream.stopped.channels.map(({ segments }) => segments)).toEqual([2, 0]);
    server.signal("SIGTERM");
    expect(await server.waitForExit()).toEqual({ code: 0, signal: null });
    expect(await readdir(executable.folder)).toEqual(["streamer"]);
  });

  test("prints one line on standard output, and JSON records on standard error", async () => {
    const server = await executable.serve(FAST_MODEL);
    const client = await server.connect({ path: "/api/v1/simple" });
    client.start();
    await client.sendAudio(encode("s16", noise(0.7)));
    client.sendText("no JSON");
    await client.nextEvent("segment");
    client.reset();
    server.signal("SIGTERM");
    await server.waitForExit();
    expect(server.out).toBe(`listening on http://127.0.0.1:${server.port}\n`);
    expect(server.log.map((record) => record["event"])).toContain("stream_stopped");
    expect(server.log.map((record) => record["event"])).toContain("stopped");
  });

  test("serves the HTTP routes", async () => {
    const server = await executable.serve(FAST_MODEL);
    for (const [path, status] of [
      ["/", 200],
      ["/api/v1/health", 200],
      ["/api/v1/ready", 200],
      ["/api/v1/asyncapi.json", 200],
      ["/api/v1/openapi.json", 200],
      ["/api/v1/docs", 200],
      ["/x", 404],
    ] as const) {
      expect([path, (await fetch(`${server.url}${path}`)).status]).toEqual([path, status]);
    }
  });

  test("continues after workers crash", async () => {
    const server = await executable.serve({ ...FAST_MODEL, "model.panic_rate": 0.5 });
    const client = await server.connect({ path: "/api/v1/simple" });
    const bytes = encode("s16", noise(10));
    await client.sendStream(bytes);
    expectExactLedger(client.events, { bytes: bytes.length, frameBytes: 2 });
    expect(client.eventsOf("error").length).toBeGreaterThan(0);
    expect(client.eventsOf("segment").length).toBeGreaterThan(0);
  });
});

describe("signals", () => {
  const seed = freshSeed();

  test(`SIGTERM at a random time under load: no stream loses a result, then close code 1001 and exit code 0 (seed ${seed})`, async () => {
    const random = seeded(seed);
    for (let i = 0; i < 4; i++) await drainUnderLoad(executable, random);
  });

  test("SIGTERM in the middle of a stream lets it go on to its end", async () => {
    const server = await executable.serve(FAST_MODEL);
    const bytes = encode("s16", speech([0.8, 0.7, 0.9]));
    const addr = `ws://127.0.0.1:${server.port}/api/v1/segmented`;
    const sending = executable.run(["send", "-i", "-", "--real-time", "--addr", addr, "--format", "json"], {
      input: wav(S16_MONO, bytes),
    });
    await waitUntil("the stream", () => server.log.some((record) => record["event"] === "stream_started"));
    await Bun.sleep(1_000);
    server.signal("SIGTERM");
    const { code, out } = await sending;
    expect(code).toBe(0);
    const events = parseEvents(out);
    expect(events.find(({ type }) => type === "warning")).toMatchObject({ code: "draining", deadline_ms: 30_000 });
    const { stopped } = expectExactLedger(events, { bytes: bytes.length, frameBytes: 2 });
    expect(stopped).toMatchObject({ reason: "stop", channels: [{ segments: 3, failed: 0 }] });
    expect(await server.waitForExit()).toEqual({ code: 0, signal: null });
  });

  test("60 of 60 clients that are busy at the shutdown and go on sending get stopped and close code 1001", async () => {
    const server = await executable.serve({ ...FAST_MODEL, "limits.drain": "now" });
    const bytes = encode("s16", noise(0.02));
    const clients = await Promise.all(
      Array.from({ length: 60 }, async () => {
        const client = await server.connect({ path: "/api/v1/simple" });
        client.start();
        await client.nextEvent("started");
        client.pause();
        return client;
      }),
    );
    server.signal("SIGTERM");
    // Less than the server waits for its peers, however long a round takes.
    for (const until = performance.now() + 1_000; performance.now() < until;) {
      await Promise.all(clients.map((client) => client.sendAudio(bytes).catch(() => {})));
      await Bun.sleep(30);
    }
    for (const client of clients) client.resume();
    for (const client of clients) {
      expect(await client.waitForClose()).toEqual({ code: 1001, reason: "draining" });
      expect(onlyStream(client.events).stopped).toMatchObject({ reason: "drain", channels: [{ failed: 0 }] });
    }
    expect(await server.waitForExit()).toEqual({ code: 0, signal: null });
  });

  test("SIGINT shuts the server down gracefully, as Ctrl-C does", async () => {
    const server = await executable.serve({ ...FAST_MODEL, "limits.drain": "now" });
    const client = await server.connect({ path: "/api/v1/simple" });
    client.start();
    await client.sendAudio(encode("s16", noise(0.3)));
    await client.nextEvent("started");
    server.signal("SIGINT");
    expect(await server.waitForExit()).toEqual({ code: 0, signal: null });
    expect((await client.waitForClose()).code).toBe(1001);
    expect(onlyStream(client.events).stopped).toMatchObject({ reason: "drain", channels: [{ failed: 0 }] });
  });

  test("SIGQUIT shuts the server down gracefully, as Ctrl-\\ does", async () => {
    const server = await executable.serve();
    server.signal("SIGQUIT");
    expect(await server.waitForExit()).toEqual({ code: 0, signal: null });
    expect(server.log.some((record) => record["event"] === "draining")).toBeTrue();
  });

  test("a second signal ends the server immediately, with the exit code of that signal", async () => {
    for (const [first, second, code] of [
      ["SIGTERM", "SIGTERM", 143],
      ["SIGINT", "SIGTERM", 143],
      ["SIGTERM", "SIGINT", 130],
      ["SIGINT", "SIGQUIT", 131],
    ] as const) {
      const server = await executable.serve({ "model.workers": 1, "model.delay": 60, "model.warmup_penalty": 0 });
      const client = await server.connect({ path: "/api/v1/simple" });
      client.start();
      await client.sendAudio(encode("s16", noise(0.6)));
      await client.nextEvent("started");
      server.signal(first);
      await client.nextEvent("warning");
      await afterCopies();
      server.signal(second);
      expect(await server.waitForExit()).toEqual({ code, signal: null });
      expect(server.log.some((record) => record["event"] === "stopped_at_once")).toBeTrue();
    }
  });

  test("two signals at once are one: `timeout` sends its signal to the process and to its group", async () => {
    const server = await executable.serve({ ...FAST_MODEL, "limits.drain_timeout_ms": 60_000 });
    const client = await server.connect({ path: "/api/v1/simple" });
    client.start();
    await client.sendAudio(encode("s16", noise(0.3)));
    await client.nextEvent("started");
    server.signal("SIGTERM");
    server.signal("SIGQUIT");
    await client.nextEvent("warning");
    await client.sendAudio(encode("s16", noise(0.3)));
    client.stop();
    expect(await client.nextEvent("stopped")).toMatchObject({
      reason: "stop",
      channels: [{ received: 9_600, failed: 0 }],
    });
    client.sendClose();
    expect(await server.waitForExit()).toEqual({ code: 0, signal: null });
  });

  test("a signal before the models are loaded ends the server with exit code 0 and without output", async () => {
    const server = executable.launch({ "model.workers": 1, "model.delay": 30 });
    await waitForHandler(server.pid, "SIGTERM");
    server.signal("SIGTERM");
    expect(await server.waitForExit()).toEqual({ code: 0, signal: null });
    expect(server.out).toBe("");
  });

  test("a shutdown ends after limits.finish_ms if a model does not finish: the audio without a result has failed", async () => {
    const server = await executable.serve({
      "model.workers": 1,
      "model.delay": 60,
      "model.warmup_penalty": 0,
      "limits.drain_timeout_ms": 300,
      "limits.finish_ms": 300,
    });
    const client = await server.connect({ path: "/api/v1/simple" });
    const bytes = encode("s16", noise(1.3));
    client.start();
    await client.sendAudio(bytes);
    await waitUntil("the model to receive the audio", async () => {
      const { live } = (await (await fetch(`${server.url}/api/v1/info`)).json()) as {
        live: { queue: { running: number } };
      };
      return live.queue.running > 0;
    });
    server.signal("SIGTERM");
    expect(await server.waitForExit()).toEqual({ code: 0, signal: null });
    expect((await client.waitForClose()).code).toBe(1001);
    const { stopped } = expectExactLedger(client.events);
    expect(stopped).toMatchObject({ reason: "drain", channels: [{ failed: 20_800 }] });
  });
});

/** Long, so that what happens before it and after it takes less on a busy machine. */
const FREEZE_MS = 10_000;

describe("a server that was stopped and continued", () => {
  test("ends no session and fails no call because of the time in which it did not run", async () => {
    const started = join(executable.folder, "busy-has-started");
    const server = await executable.serve({
      "limits.idle_timeout_ms": FREEZE_MS - 2_000,
      "model.name": join(import.meta.dir, "..", "support", "models", "busy.ts"),
      "model.started": started,
      "model.workers": 1,
      "model.inference_timeout_ms": FREEZE_MS - 2_000,
    });
    const silent = await server.connect({ path: "/api/v1/segmented" });
    const busy = await server.connect({ path: "/api/v1/simple" });
    const silence = new Uint8Array(16_000);
    for (const client of [silent, busy]) {
      client.start();
      await client.nextEvent("started");
    }
    await silent.sendAudio(silence);
    await busy.sendAudio(encode("s16", noise(0.5)));
    await waitUntil("the call to begin", () => existsSync(started));
    server.signal("SIGSTOP");
    await silent.sendAudio(silence);
    await Bun.sleep(FREEZE_MS);
    server.signal("SIGCONT");
    await silent.sendAudio(silence);
    for (const client of [silent, busy]) {
      client.stop();
      await client.nextEvent("stopped");
      expect(client.eventsOf("error")).toEqual([]);
    }
    expect(onlyStream(silent.events).stopped.channels).toMatchObject([{ received: 24_000, failed: 0 }]);
    expect(onlyStream(busy.events).stopped.channels).toMatchObject([{ received: 8_000, failed: 0 }]);
  });

  test("700 clients can connect while the server accepts nobody, and are served when it does", async () => {
    await using server = await executable.serve();
    server.signal("SIGSTOP");
    let answered = 0;
    const socket = { data: () => void answered++ };
    const clients: Bun.Socket[] = [];
    for (let i = 0; i < 700; i++) {
      // The kernel connects it. Beyond the backlog of the port it would wait until the server runs.
      const connected = Bun.connect({ hostname: "127.0.0.1", port: server.port, socket });
      const client = await withTimeout(`connection ${i + 1}`, connected);
      client.write("GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n");
      clients.push(client);
    }
    server.signal("SIGCONT");
    await waitUntil("700 answers", () => answered >= 700);
    for (const client of clients) client.terminate();
  });
});

describe("the command serve", () => {
  test("exits with 1 and one sentence when its port is in use", async () => {
    const server = await executable.serve(FAST_MODEL);
    const { code, out, err } = await executable.run(["serve", "--port", String(server.port)]);
    expect([code, out]).toEqual([1, ""]);
    expect(err).toContain(`port ${server.port} of 127.0.0.1 is in use`);
    expect(err.trim().split("\n")).toHaveLength(1);
  });

  test("with --print-config prints every key with its value, unit and source, and exits", async () => {
    await Bun.write(
      join(executable.folder, "config.json"),
      JSON.stringify({ model: { delay: 0.5 }, limits: { arena_mb: 64 } }),
    );
    const { code, out } = await executable.run(
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

  test("exits with 2 and all problems of an invalid configuration at once", async () => {
    await Bun.write(
      join(executable.folder, "bad.json"),
      JSON.stringify({ model: { delay: "slow", dealy: 1 }, limits: { arena_mb: 0 } }),
    );
    const { code, out, err } = await executable.run([
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

  test("accepts a configuration file with model settings only", async () => {
    const model = {
      delay: 0.01,
      constant_factor: 0.3,
      jitter: 0.01,
      failure_rate: 0.01,
      panic_rate: 0.0,
      warmup_penalty: 10.0,
    };
    await Bun.write(join(executable.folder, "model-only.json"), JSON.stringify({ model }));
    const server = await executable.serve({}, ["--config", "model-only.json", "--workers", "1"]);
    expect((await fetch(`${server.url}/api/v1/ready`)).status).toBe(200);
  });

  test("does not read a .env file in the current folder", async () => {
    await Bun.write(join(executable.folder, ".env"), "STREAMER__LIMITS__MAX_SESSIONS=3\n");
    const { out } = await executable.run(["serve", "--print-config"]);
    expect(out).toMatch(/limits\.max_sessions +10000 sessions +default/);
  });
});
