import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";

import { type CommandResult, sharedExecutable } from "../support/executable.ts";
import { reportMissing, testWith } from "../support/requirements.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const executable = await sharedExecutable();
const server = await executable.serve({ "model.workers": 1, "model.delay": 0, "models.levels.workers": 1 });
const SAMPLE = join(import.meta.dir, "..", "data", "two-speakers-48k.wav");
const GOOD = "the ledger adds up";

/** Returns true if this machine has an IPv6 loopback address, else undefined. */
function loopbackOfIPv6(): true | undefined {
  try {
    Bun.listen({ hostname: "::1", port: 0, socket: { data: () => {} } }).stop();
    return true;
  } catch {
    reportMissing("this machine has no IPv6");
    return undefined;
  }
}

/** Sends the sample. */
async function send(...args: string[]): Promise<CommandResult> {
  return await executable.run(["send", "-i", SAMPLE, ...args]);
}

describe("send and health", () => {
  const host = `127.0.0.1:${server.port}`;

  const absolute = `localhost.:${server.port}`;
  test.each([
    ...[host, `http://${host}`, `http://${host}/`, `http://${host}//`, `ws://${host}`, `ws://${host}/api/v1/simple`],
    absolute,
  ])("take the address %s", async (addr) => {
    expect(await send("--addr", addr)).toMatchObject({ code: 0, out: expect.stringContaining(GOOD) });
    expect(await executable.run(["health", "--addr", addr])).toEqual({ code: 0, out: "healthy\n", err: "" });
  });

  testWith(loopbackOfIPv6())("take an IPv6 address, with and without a scheme", async () => {
    const { port } = await executable.serve({ "model.workers": 1, "model.delay": 0 }, ["--host", "::1"]);
    for (const addr of [`[::1]:${port}`, `http://[::1]:${port}`, `ws://[::1]:${port}/api/v1/segmented`]) {
      expect(await send("--addr", addr)).toMatchObject({ code: 0, out: expect.stringContaining(GOOD) });
      expect(await executable.run(["health", "--addr", addr])).toEqual({ code: 0, out: "healthy\n", err: "" });
    }
  });

  test("refuse another address with what was found and what is allowed", async () => {
    for (const command of [["health"], ["send", "-i", SAMPLE]]) {
      const { code, err } = await executable.run([...command, "--addr", "ftp://localhost"]);
      expect(code).toBe(2);
      expect(err).toBe(
        'streamer: --addr: found "ftp://localhost"; allowed: HOST:PORT, or a URL that begins with http://, https://, ws:// or wss://\n',
      );
    }
  });

  test("do not use a proxy that the environment names", async () => {
    const names = ["http_proxy", "https_proxy", "all_proxy", "ws_proxy", "wss_proxy"];
    const dead = names.flatMap((name) => [name, name.toUpperCase()].map((each) => [each, "http://127.0.0.1:9"]));
    const env = { ...Object.fromEntries(dead), NODE_USE_ENV_PROXY: "1" };
    expect(await executable.run(["health", "--addr", host], { env })).toEqual({ code: 0, out: "healthy\n", err: "" });
    const sent = await executable.run(["send", "-i", SAMPLE, "--addr", host], { env });
    expect(sent).toMatchObject({ code: 0, err: "", out: expect.stringContaining(GOOD) });
    const refused = await executable.run(["send", "-i", SAMPLE, "--addr", `${host}/nowhere`], { env });
    expect(refused).toMatchObject({ code: 3, err: expect.stringContaining("refused with HTTP 404") });
  });
});

test("--pattern and --model of send select the route and the model", async () => {
  const blocks = await send("--addr", `localhost:${server.port}`, "--pattern", "simple", "--model", "levels");
  expect(blocks.code).toBe(0);
  expect(blocks.out).toContain("72 final results, 0 errors");
  expect(blocks.out).toContain("model levels at 16,000 Hz");
  const { code, err } = await send("--pattern", "segmentd");
  expect({ code, err }).toEqual({
    code: 2,
    err: 'streamer: --pattern: found "segmentd"; allowed: simple, stateful, segmented\n',
  });
});

test("health checks the host and the port that the environment sets, in the spellings of serve", async () => {
  const env = { streamer__server__host: "0.0.0.0", Streamer__Server__Port: String(server.port) };
  expect(await executable.run(["health"], { env })).toEqual({ code: 0, out: "healthy\n", err: "" });
  const other = await executable.run(["health"], { env: { ...env, streamer__server__host: "127.0.0.9" } });
  expect(other).toEqual({
    code: 1,
    out: "",
    err: `streamer: http://127.0.0.9:${server.port}/api/v1/health: cannot connect: nothing listens there\n`,
  });
});
