import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";

import manifest from "../../package.json" with { type: "json" };
import { encode, noise } from "../support/audio.ts";
import { type ServeProcess, sharedExecutable } from "../support/executable.ts";
import { onlyStream } from "../support/ledgers.ts";
import { testWith } from "../support/requirements.ts";
import { afterCopies } from "../support/signal-handlers.ts";
import { waitUntil } from "../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const executable = await sharedExecutable();

const INSTANT = { "model.workers": 1, "model.delay": 0, "model.warmup_penalty": 1 };
/** The model is busy for longer than any test takes. */
const BUSY = { "model.workers": 1, "model.delay": 60, "model.warmup_penalty": 0 };

const NAMESPACE = ["unshare", "--pid", "--fork", "--mount-proc"];
const canUnshare = Bun.spawnSync([...NAMESPACE, "true"], { stderr: "ignore" }).success || undefined;

/** Waits until the log has a record of `event`. */
async function logged(server: ServeProcess, event: string): Promise<Record<string, unknown>> {
  const find = () => server.log.find((record) => record["event"] === event);
  await waitUntil(`the record ${event}`, () => find() !== undefined);
  return find() ?? {};
}

describe("signals", () => {
  test("SIGQUIT shuts the server down gracefully, a second one ends it at once", async () => {
    const server = await executable.serve({ ...INSTANT, "limits.drain_timeout_ms": 1_000 });
    const client = await server.connect({ path: "/api/v1/simple" });
    client.start();
    await client.sendAudio(encode("s16", noise(0.3)));
    await client.nextEvent("started");
    server.signal("SIGQUIT");
    expect(await server.waitForExit()).toEqual({ code: 0, signal: null });
    expect(onlyStream(client.events).stopped).toMatchObject({ reason: "drain", channels: [{ failed: 0 }] });

    const busy = await executable.serve(BUSY);
    const waiting = await busy.connect({ path: "/api/v1/simple" });
    waiting.start();
    await waiting.sendAudio(encode("s16", noise(0.6)));
    await waiting.nextEvent("started");
    busy.signal("SIGQUIT");
    await logged(busy, "draining");
    await afterCopies();
    busy.signal("SIGQUIT");
    expect(await busy.waitForExit()).toEqual({ code: 131, signal: null });
  });

  test("SIGUSR1 and SIGUSR2 end neither the server nor a stream", async () => {
    const server = await executable.serve(INSTANT);
    const client = await server.connect({ path: "/api/v1/simple" });
    client.start();
    for (const signal of ["SIGUSR1", "SIGUSR2"] as const) {
      server.signal(signal);
      await waitUntil(`the record of ${signal}`, () => server.log.some((record) => record["signal"] === signal));
    }
    await client.sendAudio(encode("s16", noise(0.5)));
    await client.nextEvent("segment");
    client.stop();
    await client.nextEvent("stopped");
  });

  test("SIGHUP has no effect on a server that nohup started", async () => {
    const server = await executable.serve(INSTANT, [], {}, ["nohup"]);
    server.signal("SIGHUP");
    server.signal("SIGUSR1");
    await logged(server, "signal_ignored");
    expect((await fetch(`${server.url}/api/v1/ready`)).status).toBe(200);
    server.signal("SIGTERM");
    expect(await server.waitForExit()).toEqual({ code: 0, signal: null });
    expect(server.log.map((record) => record["signal"])).not.toContain("SIGHUP");
  });

  testWith(canUnshare)("a second signal ends the server at once when it is process 1, as in a container", async () => {
    const server = await executable.serve(BUSY, [], {}, NAMESPACE);
    const client = await server.connect({ path: "/api/v1/simple" });
    client.start();
    await client.sendAudio(encode("s16", noise(0.6)));
    await client.nextEvent("started");
    const children = await readFile(`/proc/${server.pid}/task/${server.pid}/children`, "utf8");
    process.kill(Number(children), "SIGTERM");
    await logged(server, "draining");
    await afterCopies();
    process.kill(Number(children), "SIGTERM");
    expect(await server.waitForExit()).toEqual({ code: 143, signal: null });
  });
});

/** Resolves with true when a socket is open, with false when the server has refused it. */
function isOpened(socket: WebSocket): Promise<boolean> {
  return new Promise((resolve) => {
    socket.onopen = () => resolve(true);
    socket.onerror = () => resolve(false);
  });
}

describe("a server with few file descriptors", () => {
  const canLimit = Bun.which("prlimit") ?? undefined;

  /** Changes how many descriptors a server may have open, of 64 at most. */
  function allowDescriptors({ pid }: ServeProcess, count: number): void {
    const { success } = Bun.spawnSync(["prlimit", `--pid=${pid}`, `--nofile=${count}:64`]);
    expect(success).toBeTrue();
  }

  testWith(canLimit)(
    "accepts as many sessions as it has descriptors for, and still answers health checks",
    async () => {
      const server = await executable.serve(INSTANT, [], {}, ["prlimit", "--nofile=64:64"]);
      const warning = await logged(server, "few_file_descriptors");
      const sessions = Number(warning["sessions"]);
      expect(warning).toMatchObject({
        level: "warning",
        limit: 64,
        max_sessions: 10_000,
        remedy: expect.stringContaining("ulimit -n"),
      });
      const sockets = Array.from(
        { length: 48 },
        () => new WebSocket(`${server.url.replace("http", "ws")}/api/v1/simple`),
      );
      const opened = await Promise.all(sockets.map(isOpened));
      expect(opened.filter(Boolean)).toHaveLength(sessions);
      expect((await fetch(`${server.url}/api/v1/ready`)).status).toBe(200);
      expect(await (await fetch(`${server.url}/metrics`)).text()).toContain(
        `streamer_capacity_streams{resource="sessions"} ${sessions}\n`,
      );
      expect(server.log.map(({ event }) => event)).not.toContain("no_file_descriptors");
      for (const socket of sockets) socket.close();
    },
  );

  testWith(canLimit)("closes the connections of refused clients, which would need one each", async () => {
    const server = await executable.serve(INSTANT, [], {}, ["prlimit", "--nofile=64:64"]);
    const { port, hostname, host } = new URL(server.url);
    const request = [
      "GET /api/v1/simple HTTP/1.1",
      `Host: ${host}`,
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    // These clients never close a connection themselves, and keep their side of it open.
    const clients = Array.from({ length: 100 }, () => {
      const client = connect({ port: Number(port), host: hostname, allowHalfOpen: true });
      client.write(`${request.join("\r\n")}\r\n\r\n`);
      return client;
    });
    const statuses = await Promise.all(
      clients.map(async (client) => String((await once(client, "data"))[0]).split("\r\n")[0]),
    );
    expect(new Set(statuses)).toEqual(
      new Set(["HTTP/1.1 101 Switching Protocols", "HTTP/1.1 503 Service Unavailable"]),
    );
    expect((await fetch(`${server.url}/api/v1/ready`)).status).toBe(200);
    for (const client of clients) client.destroy();
  });

  testWith(canLimit)(
    "keeps running when a worker crashes, and replaces it when there are descriptors again",
    async () => {
      const settings = { ...INSTANT, "model.panic_rate": 1, "model.workers": 1 };
      const server = await executable.serve(settings, [], {}, ["prlimit", "--nofile=64:64"]);
      const client = await server.connect({ path: "/api/v1/simple" });
      client.start();
      await client.nextEvent("started");
      allowDescriptors(server, 3);
      await logged(server, "no_file_descriptors");
      await client.sendAudio(encode("s16", noise(0.6)));
      expect(await logged(server, "load_failed")).toMatchObject({
        cause: "too few file descriptors are left for its thread (ulimit -n)",
      });
      allowDescriptors(server, 64);
      await logged(server, "file_descriptors_available");
      const next = await server.connect({ path: "/api/v1/simple" });
      next.start();
      await next.sendAudio(encode("s16", noise(0.6)));
      expect(await next.nextEvent("error")).toMatchObject({ code: "worker_crashed" });
    },
  );

  testWith(canLimit)("logs once that no connection can be accepted, and the end of that", async () => {
    const server = await executable.serve(INSTANT, [], {}, ["prlimit", "--nofile=64:64"]);
    allowDescriptors(server, 3);
    expect(await logged(server, "no_file_descriptors")).toMatchObject({ level: "warning", code: "EMFILE", limit: 64 });
    allowDescriptors(server, 64);
    await logged(server, "file_descriptors_available");
    expect((await fetch(`${server.url}/api/v1/ready`)).status).toBe(200);
    expect(server.log.filter(({ event }) => event === "no_file_descriptors")).toHaveLength(1);
  });

  test("that has enough of them is not warned of", async () => {
    const server = await executable.serve({ ...INSTANT, "limits.max_sessions": 10 });
    await logged(server, "ready");
    expect(server.log.map(({ event }) => event)).not.toContain("few_file_descriptors");
  });
});

describe("the address of a server", () => {
  test("may be an IPv6 address in brackets, and is printed with one pair of them", async () => {
    const server = executable.launch(INSTANT, ["--host", "[::1]"]);
    await logged(server, "ready");
    expect(server.out).toMatch(/^listening on http:\/\/\[::1\]:\d+\n$/);
  });

  test("that is not one of this machine is refused with a sentence that names the setting", async () => {
    for (const host of ["192.0.2.1", "http://localhost", "[::1", "127.0.0.1:80"]) {
      const { code, err } = await executable.run(["serve", "--port", "0", "--host", host]);
      expect([code, err]).toEqual([
        1,
        `streamer: server.host: found "${host}"; allowed: an address of this machine, such as 127.0.0.1, ::1 or 0.0.0.0\n`,
      ]);
    }
  });
});

describe("a variable that looks like a setting", () => {
  const env = { STREAMER_MODEL_DELAY: "1" };
  const sentence = "environment variable STREAMER_MODEL_DELAY is ignored; did you mean STREAMER__MODEL__DELAY?";

  test("is warned of in the log, and by --print-config", async () => {
    const server = await executable.serve(INSTANT, [], env);
    expect(await logged(server, "setting_ignored")).toMatchObject({ level: "warning", message: sentence });
    expect((await executable.run(["serve", "--print-config"], { env })).err).toBe(`streamer: ${sentence}\n`);
  });
});

describe("a variable of OpenTelemetry that is not supported", () => {
  test("is named when the server starts, with the supported values", async () => {
    const env = { OTEL_EXPORTER_OTLP_PROTOCOL: "grpc", OTEL_TRACES_SAMPLER: "xray", OTEL_LOG_LEVEL: "debug" };
    const server = await executable.serve(INSTANT, [], env);
    await logged(server, "ready");
    const ignored = server.log.filter(({ event }) => event === "setting_ignored").map(({ message }) => message);
    expect(ignored.sort()).toEqual([
      'OTEL_EXPORTER_OTLP_PROTOCOL: found "grpc"; allowed: http/protobuf (port 4318 of a collector)',
      "OTEL_LOG_LEVEL is not supported",
      expect.stringMatching(/^OTEL_TRACES_SAMPLER: found "xray"; allowed: always_on, /),
    ]);
  });
});

describe("variables and files that are meant for Bun", () => {
  test("in the environment have no effect: no options, no debugger", async () => {
    const preload = join(executable.folder, "preload.js");
    await Bun.write(preload, "process.stdout.write = () => true;\n");
    for (const BUN_OPTIONS of [
      `--preload ${preload}`,
      "--preload /missing",
      "--help",
      "--revision",
      "--config=/missing",
      "--cwd=/missing",
      "--print 1",
      "--smol --version",
      "--inspect-wait",
    ]) {
      const result = await executable.run(["--version"], { env: { BUN_OPTIONS } });
      expect([BUN_OPTIONS, result]).toEqual([BUN_OPTIONS, { code: 0, out: `${manifest.version}\n`, err: "" }]);
    }

    using probe = Bun.serve({ port: 0, fetch: () => new Response() });
    const debuggerPort = probe.port;
    await probe.stop(true);
    const server = await executable.serve(INSTANT, [], {
      BUN_INSPECT: `127.0.0.1:${debuggerPort}`,
      BUN_OPTIONS: "--smol",
    });
    const { version } = (await (await fetch(`${server.url}/api/v1/info`)).json()) as { version: string };
    expect(version).toBe(manifest.version);
    expect(fetch(`http://127.0.0.1:${debuggerPort}`)).rejects.toThrow();
    server.signal("SIGTERM");
    expect(await server.waitForExit()).toEqual({ code: 0, signal: null });
  });

  test("in the current folder have no effect", async () => {
    const broken = { "bunfig.toml": "preload = 1 2", "tsconfig.json": "{", ".env": "STREAMER__SERVER__PORT=1\n" };
    for (const [name, content] of Object.entries(broken)) await Bun.write(join(executable.folder, name), content);
    const { code, out, err } = await executable.run(["serve", "--print-config"]);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatch(/server\.port +8080 +default/);
  });
});
