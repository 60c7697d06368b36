import { expect, test } from "bun:test";
import { connect } from "node:net";

import { codeOf } from "../../src/lib/thrown.ts";
import { ListeningSocket } from "../../src/native/listening-socket.ts";

function serve(answer: string): Bun.Server<undefined> {
  return Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    development: false,
    reusePort: false,
    fetch: () => new Response(answer),
  });
}

async function get(port: number): Promise<string> {
  return await (await fetch(`http://127.0.0.1:${port}/`, { keepalive: false })).text();
}

test("a listening socket moves to another server, with the connections in its queue", async () => {
  const [old, next] = [serve("old"), serve("next")];
  const [port = 0, other = 0] = [old.port, next.port];
  expect(await get(port)).toBe("old");
  // The kernel accepts these while this thread is busy below. Only then does the event loop see them.
  const waiting = Array.from({ length: 5 }, () => connect(port, "127.0.0.1"));
  const answers = waiting.map(async (socket) => {
    socket.write("GET / HTTP/1.0\r\n\r\n");
    return await new Response(socket as unknown as ReadableStream).text();
  });
  new ListeningSocket(port).moveTo(new ListeningSocket(other));
  for (const answer of await Promise.all(answers)) expect(answer).toEndWith("next");
  expect(await get(port)).toBe("next");
  expect(next.port).toBe(port);
  expect(await get(other).catch(codeOf)).toMatch(/refused/i);
  await Promise.all([old.stop(true), next.stop(true)]);
  expect(() => new ListeningSocket(port)).toThrow("ENOENT");
});

test("a socket that nothing listens on is not found, and one that no event loop watches is not moved", async () => {
  const server = serve("");
  const port = server.port ?? 0;
  const socket = new ListeningSocket(port);
  expect(() => socket.moveTo(socket)).toThrow("EINVAL");
  await server.stop(true);
  expect(() => new ListeningSocket(port)).toThrow("ENOENT");
  expect(() => socket.moveTo(new ListeningSocket(port))).toThrow("ENOENT");
  expect(() => new ListeningSocket(0)).toThrow("port");
});
