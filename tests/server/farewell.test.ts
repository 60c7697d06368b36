import { afterEach, describe, expect, test } from "bun:test";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

import { unfinishedConnections, waitForPeers } from "../../src/server/farewell.ts";
import { waitUntil } from "../support/wait.ts";

const open: { close?(): unknown; destroy?(): unknown }[] = [];

afterEach(() => {
  for (const each of open.splice(0)) (each.destroy ?? each.close)?.call(each);
});

async function listen(host: string): Promise<{ server: Server; port: number }> {
  const server = createServer({ allowHalfOpen: true });
  server.listen(0, host);
  await once(server, "listening");
  open.push(server);
  return { server, port: (server.address() as AddressInfo).port };
}

/** Connects; returns both ends. */
async function pair(server: Server, port: number, host: string): Promise<{ ours: Socket; theirs: Socket }> {
  const accepted = once(server, "connection");
  const theirs = connect({ port, host, allowHalfOpen: true });
  const [ours] = (await accepted) as [Socket];
  open.push(ours, theirs);
  for (const socket of [ours, theirs]) socket.on("error", () => {}).resume();
  return { ours, theirs };
}

for (const host of ["127.0.0.1", "::1"]) {
  describe(`the connections of a port on ${host}`, () => {
    test("are unfinished from our close to that of the peer", async () => {
      const { server, port } = await listen(host);
      expect(await unfinishedConnections(port)).toBe(0);
      const { ours, theirs } = await pair(server, port, host);
      const other = await pair(server, port, host);
      expect(await unfinishedConnections(port)).toBe(0);
      ours.end();
      await waitUntil("our close to be seen", async () => (await unfinishedConnections(port)) === 1);
      other.theirs.end();
      theirs.end();
      await waitUntil("the peer's close to be seen", async () => (await unfinishedConnections(port)) === 0);
    });

    test("are unfinished while the peer has not taken what was sent", async () => {
      const { server, port } = await listen(host);
      const { ours, theirs } = await pair(server, port, host);
      theirs.pause();
      ours.write(Buffer.alloc(16 * 1024 * 1024));
      await waitUntil("the network to be full", async () => (await unfinishedConnections(port)) === 1);
      theirs.resume();
      await waitUntil("everything to be taken", async () => (await unfinishedConnections(port)) === 0);
    });
  });
}

describe("waiting for the peers", () => {
  test("ends when they have closed and no request is pending", async () => {
    const { server, port } = await listen("127.0.0.1");
    const { ours, theirs } = await pair(server, port, "127.0.0.1");
    ours.end();
    let pending = 1;
    let done = false;
    const waiting = waitForPeers({ port, pendingRequests: () => pending }, 0, Infinity).then(() => (done = true));
    theirs.end();
    await waitUntil("the close", async () => (await unfinishedConnections(port)) === 0);
    await Bun.sleep(100);
    expect(done).toBeFalse();
    pending = 0;
    await waiting;
  });

  test("ends at its time when a peer never closes", async () => {
    const { server, port } = await listen("127.0.0.1");
    const { ours } = await pair(server, port, "127.0.0.1");
    ours.end();
    await waitUntil("our close to be seen", async () => (await unfinishedConnections(port)) === 1);
    const until = performance.now() + 200;
    await waitForPeers({ port, pendingRequests: () => 0 }, 0, until);
    expect(performance.now()).toBeGreaterThanOrEqual(until);
    expect(await unfinishedConnections(port)).toBe(1);
  });
});
