import { expect, test } from "bun:test";
import { connect, type Socket } from "node:net";

import {
  countConnections,
  endConnection,
  listConnections,
  MAX_LISTED,
  openDescriptors,
} from "../../src/native/connections.ts";
import { ListeningGate } from "../../src/native/listening-socket.ts";
import { waitUntil } from "../support/wait.ts";

function serve(hostname = "127.0.0.1"): { readonly port: number } & Disposable {
  const server = Bun.serve({ hostname, port: 0, development: false, fetch: () => new Response("hello") });
  return { port: server.port ?? 0, [Symbol.dispose]: () => void server.stop(true) };
}

function open(port: number, from: { localAddress?: string; host?: string } = {}): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", ...from });
    socket.once("connect", () => resolve(socket)).on("error", reject);
    // The kernel keeps a connection on which nothing comes for a second.
    socket.write("G");
  });
}

test("the connections of a server have the address and port of their client, and can be ended", async () => {
  using server = serve();
  const [first, second] = await Promise.all([
    open(server.port, { localAddress: "127.0.0.2" }),
    open(server.port, { localAddress: "127.0.0.3" }),
  ]);
  await waitUntil("both connections", () => countConnections(server.port) === 2);
  const listed = listConnections(server.port, 10).toSorted((a, b) => (a.address < b.address ? -1 : 1));
  expect(listed).toEqual([
    {
      fd: expect.any(Number),
      silentMs: expect.any(Number),
      hasEnded: false,
      address: "127.0.0.2",
      port: first.localPort ?? 0,
    },
    {
      fd: expect.any(Number),
      silentMs: expect.any(Number),
      hasEnded: false,
      address: "127.0.0.3",
      port: second.localPort ?? 0,
    },
  ]);
  expect(listConnections(server.port, 1)).toHaveLength(1);
  const [victim] = listed;
  if (victim === undefined) throw new Error("nothing is listed");
  const ended = new Promise((resolve) => first.once("close", resolve));
  first.on("error", () => {}).resume();
  expect(endConnection(victim, server.port)).toBeTrue();
  expect(endConnection(victim, server.port)).toBeFalse();
  await ended;
  expect(countConnections(server.port)).toBe(1);
  second.destroy();
});

test("the addresses of clients of a server for IPv6 are in canonical form", async () => {
  using server = serve("::");
  const four = await open(server.port);
  await waitUntil("the connection", () => countConnections(server.port) === 1);
  expect(listConnections(server.port, 1).map(({ address }) => address)).toEqual(["127.0.0.1"]);
  const six = await open(server.port, { host: "::1" });
  await waitUntil("the other connection", () => countConnections(server.port) === 2);
  expect(new Set(listConnections(server.port, 2).map(({ address }) => address))).toEqual(new Set(["127.0.0.1", "::1"]));
  four.destroy();
  six.destroy();
});

test("a server accepts what waits once, nothing or everything, as its gate is set", async () => {
  using server = serve();
  const gate = new ListeningGate(server.port);
  expect(gate.accept("none")).toBeTrue();
  const waiting = await Promise.all(Array.from({ length: 5 }, () => open(server.port)));
  await Bun.sleep(50);
  expect(countConnections(server.port)).toBe(0);
  gate.accept("once");
  await waitUntil("those that waited", () => countConnections(server.port) === 5);
  const later = await open(server.port);
  await Bun.sleep(50);
  expect(countConnections(server.port)).toBe(5);
  gate.accept("all");
  await waitUntil("all", () => countConnections(server.port) === 6);
  for (const socket of [...waiting, later]) socket.destroy();
});

test("open descriptors are counted, and arguments out of range are refused", () => {
  expect(openDescriptors() ?? 3).toBeGreaterThan(2);
  expect(() => listConnections(0, 1)).toThrow("port");
  expect(() => listConnections(80, MAX_LISTED + 1)).toThrow("most");
  expect(() => countConnections(65_536)).toThrow("port");
  expect(() => endConnection({ fd: -1 }, 80)).toThrow("fd");
  expect(() => new ListeningGate(0)).toThrow("port");
});

/** Sockets of which nothing is read, so that nobody notices their end. */
const PAUSED = { open: (socket: { pause(): unknown }) => void socket.pause(), data: () => {} };

test("a client that has ended its side is listed as one, while this side is open", async () => {
  using server = Bun.listen({ hostname: "127.0.0.1", port: 0, allowHalfOpen: true, socket: PAUSED });
  const client = await open(server.port, {});
  try {
    await waitUntil("the connection", () => countConnections(server.port) === 1);
    expect(listConnections(server.port, 1)).toMatchObject([{ hasEnded: false }]);
    client.end();
    await waitUntil("its end", () => listConnections(server.port, 1)[0]?.hasEnded === true);
  } finally {
    client.destroy();
  }
});
