import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";

import { runCommand } from "citty";

import { defaultAddress, healthCommand } from "../../src/commands/health.ts";
import { ExitError } from "../../src/commands/terminal/exit-codes.ts";
import { InProcessServer } from "../support/in-process-server.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

/** Returns the exit code and the message. */
async function health(...args: string[]): Promise<[number, string]> {
  try {
    await runCommand(healthCommand, { rawArgs: args });
    return [0, ""];
  } catch (error) {
    if (!(error instanceof ExitError)) throw error;
    return [error.code, error.message];
  }
}

test("a server is healthy when it runs, and ready when its models are loaded", async () => {
  await using server = await InProcessServer.start({}, { load: false });
  expect(await health("--addr", server.url)).toEqual([0, ""]);
  const [code, message] = await health("--addr", server.url, "--ready");
  expect([code, message]).toEqual([1, expect.stringContaining("not_ready")]);
  await server.load();
  expect(await health("--addr", server.url, "--ready")).toEqual([0, ""]);
});

test("--wait checks again until the server is well, as long as that may come", async () => {
  await using server = await InProcessServer.start({}, { load: false });
  const waiting = health("--addr", server.url, "--ready", "--wait", "300");
  await Bun.sleep(100);
  await server.load();
  expect(await waiting).toEqual([0, ""]);
  using other = Bun.serve({ port: 0, fetch: () => new Response("no", { status: 404 }) });
  const [code, message] = await health("--addr", `localhost:${other.port}`, "--wait", "300");
  expect([code, message]).toEqual([1, expect.stringContaining("HTTP 404: no")]);
  await other.stop(true);
  expect((await health("--addr", `localhost:${other.port}`, "--wait", "1"))[1]).toContain("nothing listens there");
  expect(await health("--wait", "soon")).toEqual([2, '--wait: found "soon"; allowed: a whole number from 0 to 86400']);
});

test("a server that does not answer, or not with 200, is not healthy", async () => {
  using other = Bun.serve({ port: 0, fetch: () => new Response("busy", { status: 302, headers: { location: "/" } }) });
  const addr = `http://localhost:${other.port}`;
  const url = `${addr}/api/v1/health`;
  expect(await health("--addr", addr)).toEqual([1, `${url}: HTTP 302: busy`]);
  await other.stop(true);
  expect(await health("--addr", addr)).toEqual([1, `${url}: cannot connect: nothing listens there`]);
});

test("an address may be of HTTP or WebSocket, with or without a path, and anything else is a usage error", async () => {
  await using server = await InProcessServer.start();
  const host = `127.0.0.1:${server.port}`;
  for (const addr of [host, `http://${host}/`, `ws://${host}`, `ws://${host}/api/v1/segmented`]) {
    expect([addr, ...(await health("--addr", addr))]).toEqual([addr, 0, ""]);
  }
  expect(await health("--addr", "ftp://localhost:8080")).toEqual([
    2,
    '--addr: found "ftp://localhost:8080"; allowed: HOST:PORT, or a URL that begins with http://, https://, ws:// or wss://',
  ]);
});

test("a proxy that the environment names is not used", async () => {
  await using server = await InProcessServer.start();
  const names = ["http_proxy", "https_proxy", "all_proxy"].flatMap((name) => [name, name.toUpperCase()]);
  const proxies = Object.fromEntries(names.map((name) => [name, "http://127.0.0.1:9"]));
  const child = Bun.spawn([process.execPath, "src/main.ts", "health", "--addr", server.url, "--ready"], {
    cwd: join(import.meta.dir, "..", ".."),
    env: { ...process.env, ...proxies, NODE_USE_ENV_PROXY: "1" },
    stdout: "pipe",
    stderr: "pipe",
  });
  expect([await child.stderr.text(), await child.stdout.text(), await child.exited]).toEqual(["", "ready\n", 0]);
});

test("the default address is that of the environment, in the spellings that the server accepts", () => {
  const host = (env: Record<string, string>) => defaultAddress(env).host;
  expect(host({})).toBe("127.0.0.1:8080");
  expect(host({ STREAMER__SERVER__PORT: "81" })).toBe("127.0.0.1:81");
  expect(host({ streamer__server__port: "81", STREAMER__server__HOST: "10.0.0.5" })).toBe("10.0.0.5:81");
  expect(host({ STREAMER__SERVER__HOST: "gpu-1.internal", STREAMER__MODEL__DELAY: "wrong" })).toBe(
    "gpu-1.internal:8080",
  );
});

test("a server that listens on all addresses is checked at the loopback address", () => {
  const host = (name: string) => defaultAddress({ STREAMER__SERVER__HOST: name }).host;
  expect(["0.0.0.0", "::", "[::]", "0:0::0"].map(host)).toEqual(["127.0.0.1:8080", ...Array(3).fill("[::1]:8080")]);
  expect(["::1", "[fe80::2]"].map(host)).toEqual(["[::1]:8080", "[fe80::2]:8080"]);
});

test("an address of the environment that no server has is a usage error with the name of the variable", () => {
  expect(() => defaultAddress({ streamer__server__port: "0" })).toThrow(
    "environment variable streamer__server__port: found 0; allowed: a whole number from 1 to 65535",
  );
  expect(() => defaultAddress({ STREAMER__SERVER__HOST: "a b" })).toThrow(
    'environment variable STREAMER__SERVER__HOST: found "a b"; allowed: a host name or an IP address',
  );
});

test("the default address has https when the environment turns TLS on", () => {
  const isSecure = (env: Record<string, string>) => defaultAddress(env).isSecure;
  expect(isSecure({ STREAMER__SERVER__TLS_CERT: "tls.crt", STREAMER__SERVER__PORT: "443" })).toBe(true);
  expect(isSecure({ STREAMER__SERVER__TLS_CERT: "none" })).toBe(false);
  expect(isSecure({})).toBe(false);
});
