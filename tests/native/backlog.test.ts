import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";

import { setBacklog } from "../../src/native/backlog.ts";

/** What the kernel allows. */
const SOMAXCONN = Number(readFileSync("/proc/sys/net/core/somaxconn", "utf8"));

test("the backlog is what was asked for, and at most what the kernel allows", () => {
  using server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
  const port = server.port ?? 0;
  expect(setBacklog(port, 1)).toBe(1);
  expect(setBacklog(port, 2 ** 30)).toBe(SOMAXCONN);
});

test("a port where nobody listens has none", async () => {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
  const port = server.port ?? 0;
  await server.stop(true);
  expect(setBacklog(port, 10)).toBe(0);
});

test("numbers out of range are refused by name", () => {
  expect(() => setBacklog(0, 1)).toThrow("port is 0, not an integer from 1 to 65535");
  expect(() => setBacklog(1, 0)).toThrow("connections is 0, not an integer from 1 to 2147483647");
});
