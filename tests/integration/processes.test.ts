import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { once } from "node:events";
import { rename, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";

import { encode, freshSeed, seeded, speech } from "../support/audio.ts";
import { TwilioClient, WatchClient } from "../support/call-clients.ts";
import { drainUnderLoad } from "../support/drain-under-load.ts";
import { sharedExecutable } from "../support/executable.ts";
import { LOOPBACK_IS_LIMITED } from "../support/in-process-server.ts";
import { onlyStream } from "../support/ledgers.ts";
import { isAlive, keepStreaming, loggedBy, ProcessesServer, QUICK_MODEL } from "../support/processes.ts";
import { testWith } from "../support/requirements.ts";
import { afterCopies } from "../support/signal-handlers.ts";
import { waitUntil } from "../support/wait.ts";
import { type ConnectOptions, UpgradeRefused, type WebSocketClient } from "../support/websocket-client.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const executable = await sharedExecutable();
const NAMESPACE = ["unshare", "--pid", "--fork", "--mount-proc"];
const canUnshare = Bun.spawnSync([...NAMESPACE, "true"], { stderr: "ignore" }).success || undefined;
const AUDIO = encode("s16", speech([0.5, 0.6]));
const PATHS = ["simple", "segmented", "stateful"].map((name) => `/api/v1/${name}`);

const clients: WebSocketClient[] = [];
afterAll(() => {
  for (const client of clients) client[Symbol.dispose]();
});

/** Connects; returns the client, or the code of the refusal. */
async function tryToConnect(
  { server }: ProcessesServer,
  options: ConnectOptions = {},
): Promise<WebSocketClient | string> {
  try {
    const client = await server.connect(options);
    clients.push(client);
    return client;
  } catch (error) {
    if (error instanceof UpgradeRefused) return String((JSON.parse(error.body) as { code: unknown }).code);
    throw error;
  }
}

/** Connects so many clients at the same time. Returns those that were accepted, and the codes of the others. */
async function connectAll(server: ProcessesServer, count: number, options: ConnectOptions = {}) {
  const all = await Promise.all(Array.from({ length: count }, () => tryToConnect(server, options)));
  const accepted = all.filter((each) => typeof each !== "string");
  return { accepted, refused: all.filter((each) => typeof each === "string") };
}

describe("phone calls in several processes", () => {
  test("are reported to whoever watches them in any process", async () => {
    await using server = await ProcessesServer.start(executable);
    const { url } = server.server;
    const watchers = await Promise.all(Array.from({ length: 6 }, () => WatchClient.connect(url)));
    const phones = await Promise.all(
      Array.from({ length: 6 }, (_, n) => TwilioClient.connect(url, "/twilio", `CA${n}`)),
    );
    for (const phone of phones) phone.start();
    const audio = encode("mulaw", speech([0.5], { rate: 8_000 }));
    for (const phone of phones) phone.media(audio);
    for (const phone of phones) phone.stop();
    for (const watcher of watchers) {
      await waitUntil("the ends of all calls", () => watcher.ended === 6);
      expect(watcher.events().filter(({ type }) => type === "stopped")).toHaveLength(6);
      expect(watcher.events().filter(({ type }) => type === "segment")).toHaveLength(6);
      watcher.close();
    }
  });
});

describe("limits of several processes", () => {
  test("max_sessions is exact over all processes, and a session that ends makes room for one", async () => {
    await using server = await ProcessesServer.start(executable, { "limits.max_sessions": 11 });
    const { accepted, refused } = await connectAll(server, 40);
    expect([accepted.length, new Set(refused)]).toEqual([11, new Set(["overloaded"])]);
    const sessions = (await server.processes()).map((each) => each.sessions);
    expect(sessions.reduce((sum, each) => sum + each, 0)).toBe(11);
    accepted[0]?.sendClose();
    await waitUntil("the place of the closed session", async () => (await server.info()).sessions === 10);
    expect((await connectAll(server, 10)).accepted).toHaveLength(1);
  });

  test("max_sessions_per_address is exact for each address over all processes", async () => {
    await using server = await ProcessesServer.start(executable, {
      ...LOOPBACK_IS_LIMITED,
      "limits.max_sessions_per_address": 5,
    });
    const [one, two] = await Promise.all([connectAll(server, 25), connectAll(server, 25, { from: "127.0.0.2" })]);
    for (const { accepted, refused } of [one, two]) {
      expect([accepted.length, new Set(refused)]).toEqual([5, new Set(["too_many_sessions"])]);
    }
  });

  test("a session that is refused after its claim gives its place back", async () => {
    await using server = await ProcessesServer.start(executable, { "limits.max_sessions": 3 });
    const headers = { "Sec-WebSocket-Key": "not-a-key" };
    for (let i = 0; i < 10; i++) expect(await tryToConnect(server, { headers })).toBe("invalid_request");
    expect((await connectAll(server, 5)).accepted).toHaveLength(3);
  });
});

describe("a killed process", () => {
  test("costs its own streams only, is started again, and its sessions and addresses are taken back", async () => {
    const limits = { "limits.max_sessions": 16, "limits.max_sessions_per_address": 16 };
    await using server = await ProcessesServer.start(executable, limits);
    const { accepted } = await connectAll(server, 16);
    for (const client of accepted) client.start();
    await Promise.all(accepted.map((client) => client.nextEvent("started")));
    for (const client of accepted) await client.sendAudio(AUDIO);
    expect((await connectAll(server, 4)).accepted).toHaveLength(0);
    const before = await server.processes();
    const [victim] = [...before].sort((a, b) => b.sessions - a.sessions);
    process.kill(victim?.pid ?? 0, "SIGKILL");
    const [died] = await server.logged("process_died");
    expect(died).toMatchObject({ process: victim?.process, signal: "SIGKILL", lost_sessions: victim?.sessions });

    await waitUntil("the clients of the process", () => {
      return accepted.filter(({ closed }) => closed?.code === 1006).length === victim?.sessions;
    });
    const others = accepted.filter(({ closed }) => closed === undefined);
    expect(others).toHaveLength(16 - (victim?.sessions ?? 0));
    for (const client of others) client.stop();
    for (const client of others) await client.nextEvent("stopped");
    for (const client of others) {
      const [ledger] = onlyStream(client.events).stopped.channels;
      expect([ledger?.received, ledger?.failed]).toEqual([AUDIO.length / 2, 0]);
    }
    await server.untilReady();
    expect((await connectAll(server, 30)).accepted).toHaveLength(victim?.sessions ?? -1);
  });

  test("leaves what it counted in the metrics of all", async () => {
    await using server = await ProcessesServer.start(executable);
    const { accepted } = await connectAll(server, 12);
    await Promise.all(accepted.map((client) => client.sendStream(AUDIO)));
    const started = async () => (await server.metrics()).value("streamer_streams_started_total");
    expect(await started()).toBe(12);
    const [victim] = await server.processes();
    process.kill(victim?.pid ?? 0, "SIGKILL");
    await server.logged("process_ready");
    expect(await started()).toBe(12);
    const { value } = await server.metrics();
    expect(value("streamer_process_deaths_total", { cause: "signal" })).toBe(1);
    expect(value("streamer_process_starts_total")).toBe(3);
    expect(value("streamer_processes", { state: "ready" })).toBe(2);
  });
});

describe("metrics of several processes", () => {
  test("are the sum over all processes at the address for operators, which the port of the clients names", async () => {
    await using server = await ProcessesServer.start(executable);
    const { accepted } = await connectAll(server, 10, { path: "/api/v1/simple" });
    for (const client of accepted) await client.sendStream(AUDIO);
    const { value } = await server.metrics();
    expect(value("streamer_sessions_active")).toBe(10);
    expect(value("streamer_sessions_opened_total", { pattern: "simple", dialect: "streamer" })).toBe(10);
    expect(value("streamer_received_bytes_total", { kind: "audio" })).toBe(10 * AUDIO.length);
    const segments = accepted.flatMap((client) => client.events.filter(({ type }) => type === "segment")).length;
    expect(value("streamer_result_latency_seconds_count", { pattern: "simple" })).toBe(segments);
    expect(value("streamer_ready")).toBe(1);
    const perProcess = (await server.processes()).map(({ sessions }) => sessions);
    expect(perProcess.every((sessions) => sessions < 10)).toBe(true);
    const answer = await fetch(`${server.server.url}/metrics`);
    expect([answer.status, await answer.text()]).toEqual([404, expect.stringContaining(`${server.admin}/metrics`)]);
  });

  test("without an address for operators, the port of the clients says that there is none", async () => {
    await using server = await executable.serve({ ...QUICK_MODEL, "server.processes": 2 });
    const answer = await fetch(`${server.url}/metrics`);
    expect([answer.status, await answer.text()]).toEqual([
      404,
      expect.stringContaining("server.admin, which is not set"),
    ]);
  });
});

describe("the shutdown of several processes", () => {
  const seed = freshSeed();
  test(`SIGTERM at a random moment under load loses no result (seed ${seed})`, async () => {
    const random = seeded(seed);
    for (let i = 0; i < 3; i++) await drainUnderLoad(executable, random, 2);
  });

  test("a second signal ends all processes at once, whatever they do", async () => {
    const busy = { "model.delay": 60, "model.warmup_penalty": 0 };
    await using server = await ProcessesServer.start(executable, busy);
    const { accepted } = await connectAll(server, 4, { path: "/api/v1/simple" });
    for (const client of accepted) {
      client.start();
      await client.sendAudio(AUDIO);
      await client.nextEvent("started");
    }
    const processes = await server.processes();
    server.server.signal("SIGINT");
    await server.logged("draining");
    await afterCopies();
    server.server.signal("SIGINT");
    expect(await server.server.waitForExit()).toEqual({ code: 130, signal: null });
    await waitUntil("the end of the processes", () => processes.every(({ pid }) => !isAlive(pid)));
  });

  test("processes whose supervisor is killed finish their streams, give the port free at once, and end", async () => {
    await using server = await ProcessesServer.start(executable);
    const { accepted } = await connectAll(server, 6, { path: "/api/v1/simple" });
    for (const client of accepted) {
      client.start();
      await client.sendAudio(AUDIO);
      await client.nextEvent("started");
    }
    const processes = await server.processes();
    server.server.signal("SIGKILL");
    for (const client of accepted) await client.nextEvent("warning");
    await using next = await executable.serve({ ...QUICK_MODEL, "server.port": server.server.port });
    expect(next.port).toBe(server.server.port);
    for (const client of accepted) client.stop();
    for (const client of accepted) {
      expect(await client.waitForClose()).toEqual({ code: 1001, reason: "draining" });
      const { stopped } = onlyStream(client.events);
      expect([stopped.reason, stopped.channels[0]?.received]).toEqual(["stop", AUDIO.length / 2]);
    }
    await waitUntil("the end of the processes", () => processes.every(({ pid }) => !isAlive(pid)));
    await server.logged("process_draining", 2);
  });

  test("a process that gets SIGTERM finishes its streams while another one takes its place", async () => {
    await using server = await ProcessesServer.start(executable);
    const { accepted } = await connectAll(server, 8, { path: "/api/v1/simple" });
    for (const client of accepted) client.start();
    for (const client of accepted) await client.nextEvent("started");
    const [first] = await server.processes();
    process.kill(first?.pid ?? 0, "SIGTERM");
    await server.logged("process_draining");
    for (const client of accepted) {
      await client.sendAudio(AUDIO);
      client.stop();
    }
    for (const client of accepted) await client.nextEvent("stopped");
    for (const client of accepted) expect(onlyStream(client.events).stopped.reason).toBe("stop");
    await server.logged("process_ready");
    await server.untilReady();
  });
});

describe("signals to several processes", () => {
  test("Ctrl-C, which a terminal sends to all processes, shuts down once and loses no result", async () => {
    await using server = await ProcessesServer.start(executable);
    const { accepted } = await connectAll(server, 4, { path: "/api/v1/simple" });
    for (const client of accepted) {
      client.start();
      await client.sendAudio(AUDIO);
      await client.nextEvent("started");
    }
    // Of the session that the server was started in, its supervisor is the leader.
    process.kill(-server.server.pid, "SIGINT");
    for (const client of accepted) await client.nextEvent("warning");
    for (const client of accepted) client.stop();
    expect(await server.server.waitForExit()).toEqual({ code: 0, signal: null });
    for (const client of accepted) {
      const { stopped } = onlyStream(client.events);
      expect([stopped.reason, stopped.channels[0]?.received, stopped.channels[0]?.failed]).toEqual([
        "stop",
        AUDIO.length / 2,
        0,
      ]);
    }
    expect(server.server.log.filter(({ event }) => event === "draining")).toHaveLength(1);
  });

  testWith(canUnshare)("a supervisor that is process 1 shuts down and starts processes again", async () => {
    const settings = { ...QUICK_MODEL, "server.processes": 2 };
    await using server = await executable.serve(settings, [], {}, NAMESPACE);
    // Processes of the namespace are seen from outside by other numbers.
    const pids = async (): Promise<number[]> => {
      const listed = Bun.spawnSync(["ps", "-eo", "pid=,ppid=,args="]).stdout.toString();
      const rows = listed.split("\n").map((line) => line.trim().split(/\s+/));
      const [supervisor] = rows.find(([, parent]) => Number(parent) === server.pid) ?? [];
      return rows.filter(([, parent]) => parent === supervisor).map(([pid]) => Number(pid));
    };
    await waitUntil("two processes", async () => (await pids()).length === 2);
    const [first = 0] = await pids();
    process.kill(first, "SIGKILL");
    await loggedBy(server, "process_ready");
    for (const pid of await pids()) expect(isAlive(pid)).toBe(true);
    const [supervisor] = Bun.spawnSync(["ps", "-o", "pid=", "--ppid", String(server.pid)])
      .stdout.toString()
      .split("\n");
    process.kill(Number(supervisor), "SIGTERM");
    expect(await server.waitForExit()).toEqual({ code: 0, signal: null });
  });
});

describe("the start of several processes", () => {
  test("a second server on the same port fails, with one process and with several", async () => {
    await using server = await ProcessesServer.start(executable);
    const { port } = server.server;
    for (const processes of [1, 2, 3]) {
      const { code, err } = await executable.run(["serve", "--port", String(port), "--processes", String(processes)]);
      expect([code, err]).toEqual([1, expect.stringContaining(`port ${port} of 127.0.0.1 is in use`)]);
    }
    await using single = await executable.serve(QUICK_MODEL);
    const { code, err } = await executable.run(["serve", "--port", String(single.port), "--processes", "2"]);
    expect([code, err]).toEqual([1, expect.stringContaining("is in use")]);
  });

  test("another user of the machine who holds a name for their port does not keep them from starting", async () => {
    const probe = createServer().listen(0, "127.0.0.1");
    await once(probe, "listening");
    const { port } = probe.address() as AddressInfo;
    probe.close();
    await once(probe, "close");
    const held = createServer().listen(`\0streamer-port-${port}`);
    await once(held, "listening");
    await using server = await ProcessesServer.start(executable, { "server.port": port });
    expect(server.server.port).toBe(port);
    held.close();
  });

  test("a model that cannot be loaded ends the start with the exit code and the message of one process", async () => {
    const broken = join(executable.folder, "broken.ts");
    await writeFile(broken, "throw new Error('no weights');\n");
    const { code, err } = await executable.run(["serve", "--port", "0", "--processes", "2", "--model", broken]);
    expect(code).toBe(2);
    expect(err.match(/^streamer: .*no weights.*$/gm)).toHaveLength(1);
  });

  test("records of all processes are in one log, each with the number of its process", async () => {
    await using server = await ProcessesServer.start(executable);
    const { accepted } = await connectAll(server, 12);
    await Promise.all(accepted.map((client) => client.sendStream(AUDIO)));
    const stopped = await server.logged("stream_stopped", 12);
    expect(new Set(stopped.map((record) => record["process"]))).toEqual(new Set([1, 2]));
    expect(server.server.out).toBe(`listening on ${server.server.url}\n`);
  });
});

test("a process is started again by the program that runs, also when another version has taken its place on disk", async () => {
  await using server = await ProcessesServer.start(executable);
  const aside = `${executable.path}.old`;
  await rename(executable.path, aside);
  try {
    await writeFile(executable.path, "#!/bin/sh\nexit 9\n", { mode: 0o755 });
    const [victim] = await server.processes();
    process.kill(victim?.pid ?? 0, "SIGKILL");
    await server.logged("process_ready");
  } finally {
    await rename(aside, executable.path);
  }
  await server.untilReady();
});

describe("processes that fail again and again", () => {
  test("are started with growing pauses while readiness fails, and serve again when they can", async () => {
    const path = join(executable.folder, "fragile.ts");
    const model =
      "export default { name: 'fragile', load: () => ({ infer: (audio) => ({ count: audio.length }) }) };\n";
    await writeFile(path, model);
    await using server = await ProcessesServer.start(executable, { "model.name": path });
    const ready = async () => (await fetch(`${server.admin}/api/v1/ready`)).status;
    expect(await ready()).toBe(200);
    await writeFile(path, "throw new Error('no weights');\n");
    for (const { pid } of await server.processes()) process.kill(pid, "SIGKILL");
    const died = (await server.logged("process_died", 8)).filter((record) => record["process"] === 1);
    const pauses = died.map((record) => Number(record["restart_in_ms"]));
    expect(pauses).toEqual(pauses.map((_, i) => 100 * 2 ** i));
    expect(String(died[1]?.["reason"])).toContain("no weights");
    expect(await ready()).toBe(503);
    expect((await fetch(`${server.admin}/api/v1/health`)).status).toBe(200);
    await writeFile(path, model);
    await server.untilReady();
    expect(await ready()).toBe(200);
  });
});

describe("SIGHUP without a controlling terminal", () => {
  const seed = freshSeed();
  test(`replaces one process at a time by the new configuration, and no stream is lost (seed ${seed})`, async () => {
    const random = seeded(seed);
    const file = join(executable.folder, "reload.json");
    const configure = async (blockMs: number) =>
      await writeFile(file, JSON.stringify({ simple: { block_ms: blockMs } }));
    await configure(500);
    await using server = await ProcessesServer.start(executable, { "limits.drain_timeout_ms": 300 }, [
      "--config",
      file,
    ]);
    const before = await server.processes();
    let isOver = false;
    const load = Array.from({ length: 9 }, (_, i) => {
      return keepStreaming(server.server, PATHS[i % 3] ?? "", random, () => isOver);
    });
    for (const round of [1, 2]) {
      await configure(100 * round);
      server.server.signal("SIGHUP");
      await server.logged("reloaded", round);
    }
    isOver = true;
    const totals = await Promise.all(load);
    const sum = (key: keyof (typeof totals)[number]) => totals.reduce((all, each) => all + each[key], 0);
    expect(sum("broken")).toBe(0);
    expect(sum("streams")).toBeGreaterThan(0);
    expect(sum("unaccepted")).toBeLessThan(sum("connections"));
    expect(await tryToConnect(server)).not.toBeString();
    const { value } = await server.metrics();
    expect(value("streamer_streams_started_total")).toBe(sum("streams"));
    expect(value("streamer_process_starts_total")).toBe(6);
    expect(value("streamer_process_deaths_total")).toBe(0);
    const after = await server.processes();
    expect(after.map(({ process }) => process).sort()).toEqual([1, 2]);
    expect(after.some(({ pid }) => before.some((old) => old.pid === pid))).toBe(false);
    // One at a time: the second is replaced when the first has ended.
    const order = server.server.log.flatMap(({ event, process }) =>
      event === "process_replaced" || event === "process_ended" ? [`${String(event)} ${String(process)}`] : [],
    );
    const round = ["process_replaced 1", "process_ended 1", "process_replaced 2", "process_ended 2"];
    expect(order).toEqual([...round, ...round]);
  });

  test("a broken configuration is refused by a record of the log, and the server goes on as it is", async () => {
    const file = join(executable.folder, "refused.json");
    await writeFile(file, JSON.stringify({ limits: { max_sessions: 5 } }));
    await using server = await ProcessesServer.start(executable, {}, ["--config", file]);
    const before = await server.processes();
    await writeFile(file, JSON.stringify({ limits: { max_sessions: "many" } }));
    server.server.signal("SIGHUP");
    const [refused] = await server.logged("reload_refused");
    expect(String(refused?.["reason"])).toContain("limits.max_sessions");
    await writeFile(file, JSON.stringify({ limits: { max_sessions: 4 }, server: { host: "0.0.0.0" } }));
    server.server.signal("SIGHUP");
    await server.logged("reloaded");
    const [ignored] = await server.logged("setting_ignored");
    expect(String(ignored?.["message"])).toContain("server.host");
    expect((await connectAll(server, 9)).accepted).toHaveLength(4);
    const after = await server.processes();
    expect(after.some(({ pid }) => before.some((old) => old.pid === pid))).toBe(false);
  });

  test("a new configuration with which no process can start is refused, and the old processes serve on", async () => {
    const file = join(executable.folder, "model.json");
    await writeFile(file, "{}");
    await using server = await ProcessesServer.start(executable, { "limits.drain_timeout_ms": 0 }, ["--config", file]);
    const before = await server.processes();
    const broken = join(executable.folder, "no-weights.ts");
    await writeFile(broken, "throw new Error('no weights');\n");
    await writeFile(file, JSON.stringify({ models: { other: { name: broken } } }));
    server.server.signal("SIGHUP");
    const [failed] = await server.logged("replacement_failed");
    expect([failed?.["process"], String(failed?.["reason"])]).toEqual([1, expect.stringContaining("no weights")]);
    await server.untilReady();
    expect((await server.processes()).map(({ pid }) => pid)).toEqual(before.map(({ pid }) => pid));
    expect((await connectAll(server, 2)).accepted).toHaveLength(2);
  });
});
