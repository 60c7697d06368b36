import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { appendFile, readFile, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";

import { encode, noise } from "../support/audio.ts";
import { parseEvents, type ServeProcess, sharedExecutable } from "../support/executable.ts";
import type { Settings } from "../support/in-process-server.ts";
import { modelPath } from "../support/pool-harness.ts";
import { loggedBy, ProcessesServer } from "../support/processes.ts";
import { waitUntil, withTimeout } from "../support/wait.ts";
import { WallClock } from "../support/wall-clock.ts";
import { type ConnectOptions, UpgradeRefused } from "../support/websocket-client.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const executable = await sharedExecutable();
const SAMPLE = join(import.meta.dir, "..", "data", "two-speakers-48k.wav");
const QUICK: Settings = { "model.workers": 1, "model.delay": 0 };
let files = 0;

/** Creates a token with `streamer token new`, and appends its line to a token file. */
async function newToken(file: string, name: string, ...limits: readonly string[]): Promise<string> {
  const { code, out, err } = await executable.run(["token", "new", name, "--file", file, ...limits]);
  expect([code, err]).toEqual([0, ""]);
  return out.trim();
}

const newFile = (): string => join(executable.folder, `tokens-${++files}`);
const bearer = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } });
const remove = async (file: string, name: string) => {
  const lines = (await readFile(file, "utf8")).split("\n");
  await writeFile(file, lines.filter((line) => !line.startsWith(`${name} `)).join("\n"));
};

/** Requests a page over HTTP/1.0 without a Host header, as health checks of proxies do, from 127.0.0.3. */
async function requestOverHttp10(port: number, path: string): Promise<string> {
  const socket = connect({ port, host: "127.0.0.1", localAddress: "127.0.0.3" });
  socket.write(`GET ${path} HTTP/1.0\r\n\r\n`);
  const [bytes] = (await withTimeout(`the answer of ${path}`, once(socket, "data"))) as [Buffer];
  socket.destroy();
  return bytes.toString().split("\r\n")[0] ?? "";
}

async function status(server: ServeProcess, options: ConnectOptions): Promise<number> {
  try {
    (await server.connect(options))[Symbol.dispose]();
    return 101;
  } catch (error) {
    if (error instanceof UpgradeRefused) return error.status;
    throw error;
  }
}

async function ticketOf({ url }: ServeProcess, token: string): Promise<string> {
  const response = await fetch(`${url}/api/v1/tickets`, { method: "POST", ...bearer(token) });
  return ((await response.json()) as { ticket: string }).ticket;
}

describe("token new, serve and send", () => {
  test("let a client in with its token, and end its session within 5 s when the line is removed", async () => {
    const file = newFile();
    const [token, other] = [await newToken(file, "client"), await newToken(file, "other")];
    await using server = await executable.serve({ ...QUICK, "auth.tokens": file });
    const addr = `localhost:${server.port}`;
    const sent = await executable.run(["send", "-i", SAMPLE, "--addr", addr, "--format", "json", "--token", token]);
    expect(sent.code).toBe(0);
    expect(parseEvents(sent.out).at(-1)).toMatchObject({ type: "stopped", reason: "stop" });
    const client = await server.connect({ path: "/api/v1/simple", ...bearer(token) });
    const stays = await server.connect({ path: "/api/v1/simple", ...bearer(other) });
    client.start();
    await client.sendAudio(encode("s16", noise(0.8)));
    await client.nextEvent("segment");
    await remove(file, "client");
    expect(await client.waitForClose()).toEqual({ code: 1008, reason: "unauthorized" });
    expect(client.events.slice(-2)).toMatchObject([{ type: "error", code: "unauthorized" }, { reason: "limit" }]);
    expect(await status(server, bearer(token))).toBe(401);
    expect(stays.closed).toBeUndefined();
    expect(server.err).not.toMatch(/strm_/);
  });

  test("explain a refusal, and show the token nowhere", async () => {
    const file = newFile();
    const token = await newToken(file, "client", "--expires", "2020-01-01");
    await using server = await executable.serve({ ...QUICK, "auth.tokens": file });
    const addr = `localhost:${server.port}`;
    const refused = `refused with HTTP 401, unauthorized: found no valid token; allowed: Authorization: Bearer TOKEN, or a ticket`;
    const send = ["send", "-i", SAMPLE, "--addr", addr];
    const without = await executable.run(send);
    expect([without.code, without.err]).toEqual([
      3,
      `cannot connect to ws://${addr}/api/v1/segmented: ${refused}; give a token with STREAMER_TOKEN or --token-file\n`,
    ]);
    const expired = await executable.run(send, { env: { STREAMER_TOKEN: token } });
    expect([expired.code, expired.err]).toEqual([
      3,
      `cannot connect to ws://${addr}/api/v1/segmented: ${refused}; the token that was given is not valid there\n`,
    ]);
    const health = await executable.run(["health", "--addr", addr, "--token", token]);
    expect([health.code, health.out]).toEqual([0, "healthy\n"]);
    const bench = await executable.run([
      "bench",
      "--addr",
      addr,
      "--streams",
      "1",
      "--seconds",
      "1",
      "--settle",
      "0",
      "--ramp",
      "0",
      "--format",
      "json",
      "--token",
      token,
    ]);
    expect(bench.code).toBe(1);
    expect(bench.out).toContain('"refusals":{"HTTP 401":1}');
    expect(bench.err).toContain("HTTP 401: the token that was given is not valid there");
    for (const { out, err } of [without, expired, health, bench, server]) expect(out + err).not.toContain(token);
  });

  test("bench and health take the token from a file or the environment", async () => {
    const file = newFile();
    const token = await newToken(file, "client");
    const tokenFile = `${file}.token`;
    await writeFile(tokenFile, `${token}\n`);
    await using server = await executable.serve({ ...QUICK, "auth.tokens": file, "auth.public_routes": "/" });
    const addr = `localhost:${server.port}`;
    const options = [
      "--addr",
      addr,
      "--streams",
      "2",
      "--processes",
      "2",
      "--seconds",
      "1",
      "--settle",
      "0",
      "--ramp",
      "0",
    ];
    const bench = await executable.run(["bench", ...options, "--token-file", tokenFile, "--format", "json"]);
    expect(bench.code).toBe(0);
    expect(bench.out).not.toContain(token);
    expect((await executable.run(["health", "--addr", addr])).code).toBe(1);
    expect((await executable.run(["health", "--addr", addr], { env: { STREAMER_TOKEN: token } })).code).toBe(0);
    const watch = await executable.run(["watch", "--addr", addr], { env: { STREAMER_TOKEN: "s3cret" } });
    expect(watch.code).toBe(3);
    expect(watch.err).toContain("the token that was given is not valid there");
  });
});

test("bench shows neither the query of the address nor a user in it", async () => {
  await using server = await executable.serve(QUICK);
  const addr = `ws://user:s3cret@localhost:${server.port}/api/v1/simple?ticket=s3cret`;
  const options = ["--streams", "1", "--seconds", "1", "--settle", "0", "--ramp", "0", "--html", "bench.html"];
  for (const format of ["text", "json"]) {
    const { code, out, err } = await executable.run(["bench", "--addr", addr, "--format", format, ...options]);
    expect(code).toBe(0);
    expect(out).toContain(`ws://localhost:${server.port}/api/v1/simple`);
    expect(out + err).not.toContain("s3cret");
  }
  expect(await readFile(join(executable.folder, "bench.html"), "utf8")).not.toContain("s3cret");
});

describe("serve", () => {
  test("does not start with a token file that is not valid, and names file, line and field", async () => {
    const file = newFile();
    await newToken(file, "client");
    await appendFile(file, "other sha256:12 sessions=1\n");
    for (const processes of ["1", "2"]) {
      const args = ["serve", "--port", "0", "--processes", processes, "--set", `auth.tokens=${file}`];
      const { code, err } = await executable.run(args);
      expect(code).toBe(2);
      expect(err).toContain(
        `streamer: invalid tokens (auth.tokens):\n  ${file}:2: hash: found "sha256:12"; allowed: sha256: and the 64 hex digits`,
      );
    }
  });

  test("removes STREAMER_TOKEN from its environment before it loads a model", async () => {
    await using server = await executable.serve(QUICK, [], { STREAMER_TOKEN: "s3cret", OTHER: "kept" });
    const environment = readFileSync(`/proc/${server.pid}/environ`, "utf8");
    expect(environment).toContain("OTHER=kept");
    expect(environment).not.toContain("s3cret");
  });

  test("keeps settings and STREAMER_TOKEN from models and the programs that they start", async () => {
    const env = {
      STREAMER__MODEL__API_KEY: "s3cret",
      STREAMER_TOKEN: "s3cret",
      OTHER: "kept",
      PATH: process.env["PATH"] ?? "",
    };
    for (const processes of [1, 2]) {
      const model = modelPath("environment");
      await using server = await executable.serve(
        { "model.workers": 2, "server.processes": processes },
        ["--model", model],
        env,
      );
      const client = await server.connect({ path: "/api/v1/simple" });
      client.start();
      await client.sendAudio(encode("s16", noise(0.5)));
      const { own, child, key } = (await client.nextEvent("segment")) as unknown as Record<string, unknown>;
      expect(key).toBe("s3cret");
      expect(own).toContain("OTHER");
      expect(child).toContain("OTHER=kept");
      expect(JSON.stringify([own, child])).not.toMatch(/s3cret|STREAMER/);
    }
  });

  test("serves the pages for operators beyond loopback with the token of an operator only", async () => {
    const file = newFile();
    const [token, admin] = [await newToken(file, "client"), await newToken(file, "ops", "--admin")];
    const settings = { ...QUICK, "auth.tokens": file, "server.admin": "0.0.0.0:0", "server.admin_only": "/metrics" };
    for (const processes of [1, 2]) {
      await using server = await executable.serve({ ...settings, "server.processes": processes });
      const [ready] = await loggedBy(server, "ready");
      expect(server.err).toContain('"event":"admin_not_encrypted"');
      const url = String(ready?.["admin"]).replace("0.0.0.0", "127.0.0.1");
      const get = async (path: string, options = {}) => (await fetch(`${url}${path}`, options)).status;
      for (const path of ["/metrics", "/api/v1/health", "/api/v1/info", "/"]) {
        expect([await get(path), await get(path, bearer(token)), await get(path, bearer(admin))]).toEqual([
          401, 401, 200,
        ]);
      }
      expect((await fetch(`${server.url}/metrics`, bearer(admin))).status).toBe(404);
    }
  });
});

describe("a server that starts again with the same auth.secret_file", () => {
  test("accepts a ticket of before no more, also within its 30 s, and whether it was used or not", async () => {
    const file = newFile();
    const token = await newToken(file, "client");
    const keys = `${file}.keys`;
    await writeFile(keys, `key ${"11".repeat(32)}\n`, { mode: 0o600 });
    for (const processes of [1, 2]) {
      const settings = { ...QUICK, "auth.tokens": file, "auth.secret_file": keys, "server.processes": processes };
      const path = (ticket: string) => ({ path: `/api/v1/simple?ticket=${ticket}` });
      const tickets: string[] = [];
      {
        await using before = await executable.serve(settings);
        // One that shares the keys accepts them, too.
        await using other = await executable.serve(settings);
        tickets.push(await ticketOf(before, token), await ticketOf(before, token));
        const [used = ""] = tickets;
        const statuses = [before, other, before, other].map((server) => status(server, path(used)));
        expect((await Promise.all(statuses)).toSorted()).toEqual([101, 101, 401, 401]);
      }
      await using since = await executable.serve(settings);
      for (const ticket of tickets) expect(await status(since, path(ticket))).toBe(401);
      expect(await status(since, path(await ticketOf(since, token)))).toBe(101);
    }
  });
});

describe("a clock on the wall that is set while the server runs", () => {
  test("decides whether a token has expired, and lets a ticket be used once within its 30 s as before", async () => {
    await using clock = await WallClock.create();
    const file = newFile();
    const day = 86_400;
    const tomorrow = new Date(Date.now() + day * 1_000).toISOString().slice(0, 10);
    const token = await newToken(file, "client", "--expires", tomorrow);
    const [stays, jumps] = [await newToken(file, "stays"), [day / 24, -day, 3 * day]];
    await using server = await executable.serve({ ...QUICK, "auth.tokens": file }, [], clock.env);
    const client = await server.connect({ path: "/api/v1/simple", ...bearer(token) });
    for (const jump of jumps) {
      const path = `/api/v1/simple?ticket=${await ticketOf(server, stays)}`;
      clock.set(jump);
      const statuses = [await status(server, { path }), await status(server, { path })];
      expect([jump, ...statuses]).toEqual([jump, 101, 401]);
    }
    // Three days ahead.
    expect(await client.waitForClose()).toEqual({ code: 1008, reason: "unauthorized" });
    expect([await status(server, bearer(token)), await status(server, bearer(stays))]).toEqual([401, 101]);
    clock.set(0);
    expect(await status(server, bearer(token))).toBe(101);
  });
});

describe("several processes", () => {
  test("accept a ticket once together, whichever of them issued it", async () => {
    const file = newFile();
    const token = await newToken(file, "client");
    await using processes = await ProcessesServer.start(executable, { "auth.tokens": file });
    const { server } = processes;
    for (let round = 0; round < 4; round++) {
      const ticket = await ticketOf(server, token);
      const path = `/api/v1/simple?ticket=${ticket}`;
      const statuses = await Promise.all(Array.from({ length: 8 }, () => status(server, { path })));
      expect(statuses.toSorted()).toEqual([101, ...Array.from({ length: 7 }, () => 401)]);
    }
  });

  test("accept a used ticket no more when the process that has used it dies", async () => {
    const file = newFile();
    const token = await newToken(file, "client");
    await using processes = await ProcessesServer.start(executable, { "auth.tokens": file });
    const { server } = processes;
    const [used, unused] = [await ticketOf(server, token), await ticketOf(server, token)];
    expect(await status(server, { path: `/api/v1/simple?ticket=${used}` })).toBe(101);
    for (const { pid } of await processes.processes()) process.kill(pid, "SIGKILL");
    await processes.logged("process_ready", 2);
    expect(await status(server, { path: `/api/v1/simple?ticket=${used}` })).toBe(401);
    expect(await status(server, { path: `/api/v1/simple?ticket=${unused}` })).toBe(101);
  });

  test("that replace others accept tickets which another server with the same keys issued before, as those did", async () => {
    const file = newFile();
    const token = await newToken(file, "client");
    const keys = `${file}.keys`;
    await writeFile(keys, `key ${"22".repeat(32)}\n`, { mode: 0o600 });
    const settings = { "auth.tokens": file, "auth.secret_file": keys };
    await using processes = await ProcessesServer.start(executable, settings);
    await using other = await executable.serve({ ...QUICK, ...settings });
    const ticket = await ticketOf(other, token);
    for (const { pid } of await processes.processes()) process.kill(pid, "SIGKILL");
    await processes.logged("process_ready", 2);
    const path = `/api/v1/simple?ticket=${ticket}`;
    expect([await status(processes.server, { path }), await status(processes.server, { path })]).toEqual([101, 401]);
  });

  test("count the sessions of a principal together, and end them when its token is removed", async () => {
    const file = newFile();
    const token = await newToken(file, "client", "--sessions", "5");
    await using processes = await ProcessesServer.start(executable, { "auth.tokens": file });
    const { server } = processes;
    const attempts = Array.from({ length: 12 }, () => server.connect(bearer(token)).catch(() => undefined));
    const accepted = (await Promise.all(attempts)).filter((client) => client !== undefined);
    expect(accepted).toHaveLength(5);
    await writeFile(file, "# none\n");
    for (const client of accepted) expect(await client.waitForClose()).toEqual({ code: 1008, reason: "unauthorized" });
  });

  test("that start again while the file is broken use the tokens of the others", async () => {
    const file = newFile();
    const token = await newToken(file, "client");
    await using processes = await ProcessesServer.start(executable, { "auth.tokens": file });
    await writeFile(file, "broken\n");
    await processes.logged("token_file_refused", 3);
    for (const { pid } of await processes.processes()) process.kill(pid, "SIGKILL");
    await processes.logged("process_died", 2);
    await processes.logged("process_ready", 2);
    await waitUntil("a connection", async () => (await status(processes.server, bearer(token)).catch(() => 0)) === 101);
    expect(await status(processes.server, bearer("wrong"))).toBe(401);
  });
});

describe("the log of refused credentials", () => {
  const refused = (server: ServeProcess) => server.log.filter(({ event }) => event === "unauthorized");

  test("has the address of a client that sends HTTP/1.0 without a Host header, at the port and for operators", async () => {
    const file = newFile();
    await newToken(file, "client");
    const settings = { ...QUICK, "auth.tokens": file };
    await using port = await executable.serve(settings);
    expect(await requestOverHttp10(port.port, "/metrics")).toContain(" 401 ");
    expect(refused(port)).toMatchObject([{ reason: "no_token", address: "127.0.0.3" }]);

    await using admin = await executable.serve({ ...settings, "server.admin": "0.0.0.0:0" });
    const ready = () => admin.log.find(({ event }) => event === "ready");
    await waitUntil("the record", () => ready() !== undefined);
    const adminPort = Number(new URL(String(ready()?.["admin"])).port);
    expect(await requestOverHttp10(adminPort, "/metrics")).toContain(" 401 ");
    expect(refused(admin)).toMatchObject([{ reason: "no_token", address: "127.0.0.3" }]);
  });
});
