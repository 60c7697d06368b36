import { expect, test } from "bun:test";

import { defaultAddress, healthCommand } from "../../src/commands/health.ts";
import { ExitCode } from "../../src/commands/terminal/exit.ts";
import { Running } from "../support/in-process.ts";

/** The exit code and what is said with it. */
async function health(...rawArgs: string[]): Promise<[number, string]> {
  try {
    await healthCommand.run?.({ rawArgs, args: { _: [] }, cmd: healthCommand } as never);
    return [0, ""];
  } catch (error) {
    if (!(error instanceof ExitCode)) throw error;
    return [error.code, error.message];
  }
}

test("a server that works is healthy, and ready once its models are loaded", async () => {
  await using server = await Running.start({}, { load: false });
  expect(await health("--addr", server.url)).toEqual([0, ""]);
  const [code, words] = await health("--addr", server.url, "--ready");
  expect([code, words]).toEqual([1, expect.stringContaining("not_ready")]);
  await server.server.load();
  expect(await health("--addr", server.url, "--ready")).toEqual([0, ""]);
});

test("who does not answer, or answers anything else, is not healthy", async () => {
  using other = Bun.serve({ port: 0, fetch: () => new Response("busy", { status: 302, headers: { location: "/" } }) });
  const addr = `http://localhost:${other.port}`;
  expect(await health("--addr", addr)).toEqual([1, `${addr} answers 302: busy`]);
  await other.stop(true);
  expect(await health("--addr", addr)).toEqual([1, `${addr} cannot be reached`]);
});

test("an address that is none is for the person who typed it", async () => {
  expect((await health("--addr", "localhost:8080"))[0]).toBe(2);
  expect((await health("--addr", "ws://localhost:8080"))[0]).toBe(2);
});

test("without an address the port is that of the environment, as the server's would be", () => {
  expect(defaultAddress({})).toBe("http://localhost:8080");
  expect(defaultAddress({ STREAMER__SERVER__PORT: "81" })).toBe("http://localhost:81");
});
