import { expect, test } from "bun:test";
import { once } from "node:events";
import { createServer } from "node:net";

import { ReservedPort } from "../../src/native/reserved-port.ts";

const respond = () => new Response("ok");

test("a reserved port is shared by servers that permit it, and refused to all others", async () => {
  using port = new ReservedPort("127.0.0.1", 0);
  const listen = (reusePort: boolean) => {
    return Bun.serve({ hostname: "127.0.0.1", port: port.port, development: false, reusePort, fetch: respond });
  };
  const servers = [listen(true), listen(true)];
  expect(() => listen(false)).toThrow("in use");
  expect(() => new ReservedPort("127.0.0.1", port.port)).toThrow("EADDRINUSE");
  expect(await (await fetch(`http://127.0.0.1:${port.port}/`)).text()).toBe("ok");
  await Promise.all(servers.map((server) => server.stop(true)));
});

test("a port on which a server listens alone is not reserved", async () => {
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, development: false, reusePort: false, fetch: respond });
  expect(() => new ReservedPort("127.0.0.1", server.port ?? 0)).toThrow("EADDRINUSE");
  await server.stop(true);
});

test("a local user who holds a name of another kind keeps nobody from reserving a port", async () => {
  const free = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } });
  const { port } = free;
  free.stop(true);
  // The lock of earlier versions: an abstract name, which every user of the machine may take.
  const held = createServer().listen(`\0streamer-port-${port}`);
  await once(held, "listening");
  using reserved = new ReservedPort("127.0.0.1", port);
  expect(reserved.port).toBe(port);
  held.close();
});

test("an address that is not numeric is refused", () => {
  expect(() => new ReservedPort("localhost", 0)).toThrow("EINVAL");
});
