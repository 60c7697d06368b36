import { expect, test } from "bun:test";

import { defaultAddress, healthCommand } from "../../src/commands/health.ts";
import { ExitError } from "../../src/commands/terminal/exit-codes.ts";
import { InProcessServer } from "../support/in-process-server.ts";

/** Returns the exit code and the message. */
async function health(...rawArgs: string[]): Promise<[number, string]> {
  try {
    await healthCommand.run?.({ rawArgs, args: { _: [] }, cmd: healthCommand } as never);
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

test("a server that does not answer, or not with 200, is not healthy", async () => {
  using other = Bun.serve({ port: 0, fetch: () => new Response("busy", { status: 302, headers: { location: "/" } }) });
  const addr = `http://localhost:${other.port}`;
  expect(await health("--addr", addr)).toEqual([1, `${addr}: HTTP 302: busy`]);
  await other.stop(true);
  expect(await health("--addr", addr)).toEqual([1, `${addr}: cannot connect`]);
});

test("an address that is not an HTTP URL is a usage error", async () => {
  expect((await health("--addr", "localhost:8080"))[0]).toBe(2);
  expect((await health("--addr", "ws://localhost:8080"))[0]).toBe(2);
});

test("the default address has the port of the environment, like the server", () => {
  expect(defaultAddress({})).toBe("http://localhost:8080");
  expect(defaultAddress({ STREAMER__SERVER__PORT: "81" })).toBe("http://localhost:81");
});
