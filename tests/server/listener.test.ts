import { expect, setDefaultTimeout, test } from "bun:test";
import { connect as connectTcp } from "node:net";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";

import { Listener } from "../../src/server/listener.ts";
import type { TlsCredentials } from "../../src/server/tls/credentials.ts";
import { Authority, credentialsOf } from "../support/certificates.ts";
import { waitUntil, withTimeout } from "../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const authority = await Authority.create();
const [first, second] = [credentialsOf(await authority.issue()), credentialsOf(await authority.issue())];

function listen(tls: TlsCredentials | undefined, port = 0): Listener & AsyncDisposable {
  const listener = new Listener({
    host: "127.0.0.1",
    port,
    shared: false,
    tls,
    fetch: () => new Response("hello"),
    failed: (error) => {
      throw error;
    },
    websocket: { message: () => undefined },
  });
  return Object.assign(listener, { [Symbol.asyncDispose]: () => listener.close() });
}

/** Connects with TLS. Resolves after the handshake. */
function open(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", ca: authority.cert, ...options });
    socket.on("error", reject).on("close", () => reject(new Error("closed")));
    socket.on("secureConnect", () => resolve(socket));
  });
}

/** Requests a page on an open connection, and resolves with the status line. */
async function request(socket: TLSSocket): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  socket.once("data", (bytes: Buffer) => resolve(bytes.toString().split("\r\n")[0] ?? ""));
  socket.once("error", reject).once("close", () => reject(new Error("closed without a response")));
  socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  return await withTimeout("the response", promise);
}

async function servedFingerprint(port: number): Promise<string> {
  const socket = await open(port);
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}

test("the URL of a listener with TLS has https, and connections get its certificate", async () => {
  await using listener = listen(first);
  expect(listener.url).toBe(`https://127.0.0.1:${listener.port}`);
  expect(await servedFingerprint(listener.port)).toBe(first.fingerprint);
  await using plain = listen(undefined);
  expect(plain.url).toBe(`http://127.0.0.1:${plain.port}`);
});

test("the address of a client is known, also when it sends HTTP/1.0 without a Host header", async () => {
  const addresses: string[] = [];
  const listener: Listener = new Listener({
    host: "127.0.0.1",
    port: 0,
    shared: false,
    fetch: (received) => {
      addresses.push(listener.address(received));
      return new Response("hello");
    },
    failed: (error) => {
      throw error;
    },
    websocket: { message: () => undefined },
  });
  for (const head of ["GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"]) {
    const socket = connectTcp(listener.port, "127.0.0.1");
    socket.write(head);
    await withTimeout("the answer", new Promise((resolve) => socket.once("data", resolve)));
    socket.destroy();
  }
  await listener.close();
  expect(addresses).toEqual(["127.0.0.1", "127.0.0.1"]);
});

test("new connections get other certificates once they are in use; open ones stay as they are", async () => {
  await using listener = listen(first);
  const before = await open(listener.port);
  expect(await request(before)).toBe("HTTP/1.1 200 OK");
  listener.useCredentials(second);
  expect(await servedFingerprint(listener.port)).toBe(second.fingerprint);
  expect(await request(before)).toBe("HTTP/1.1 200 OK");
  expect(before.getPeerCertificate().fingerprint256).toBe(first.fingerprint);
  listener.useCredentials(first);
  expect(await servedFingerprint(listener.port)).toBe(first.fingerprint);
  before.destroy();
});

test("a connection that has not begun its handshake when the certificates change is served", async () => {
  await using listener = listen(first);
  const silent = connectTcp(listener.port, "127.0.0.1");
  await new Promise((resolve) => silent.once("connect", resolve));
  await waitUntil("the connection to be accepted", async () => (await servedFingerprint(listener.port)) !== "");
  listener.useCredentials(second);
  // The network takes a while for the first message of a handshake.
  await Bun.sleep(100);
  expect(await servedFingerprint(listener.port)).toBe(second.fingerprint);
  const socket = await new Promise<TLSSocket>((resolve, reject) => {
    const secure: TLSSocket = connect({ socket: silent, ca: authority.cert, servername: "localhost" });
    secure.on("secureConnect", () => resolve(secure)).on("error", reject);
  });
  expect(await request(socket)).toBe("HTTP/1.1 200 OK");
  socket.destroy();
});

test("no connection is refused while the certificates change again and again", async () => {
  await using listener = listen(first);
  const seen = new Set<string>();
  const failures: unknown[] = [];
  let [connections, running] = [0, true];
  const client = async (): Promise<void> => {
    while (running) {
      try {
        const socket = await open(listener.port);
        seen.add(socket.getPeerCertificate().fingerprint256);
        expect(await request(socket)).toBe("HTTP/1.1 200 OK");
        socket.removeAllListeners("close");
        socket.destroy();
        connections += 1;
      } catch (error) {
        failures.push(error);
      }
    }
  };
  const clients = Promise.all(Array.from({ length: 8 }, client));
  for (let i = 0; i < 20; i++) {
    const until = connections + 10;
    await waitUntil("more connections", () => connections >= until || failures.length > 0);
    listener.useCredentials(i % 2 === 0 ? second : first);
  }
  running = false;
  await clients;
  expect(failures).toEqual([]);
  expect(seen).toEqual(new Set([first.fingerprint, second.fingerprint]));
});

test("the port stays refused to other servers, also when the certificates have changed", async () => {
  await using listener = listen(first);
  expect(() => listen(first, listener.port)).toThrow("in use");
  listener.useCredentials(second);
  expect(() => listen(second, listener.port)).toThrow("in use");
  expect(() => listen(undefined, listener.port)).toThrow("in use");
});

test("close ends the connections of all certificates, and frees the port", async () => {
  const listener = listen(first);
  const sockets = [await open(listener.port)];
  listener.useCredentials(second);
  sockets.push(await open(listener.port));
  const closed = sockets.map((socket) => new Promise((resolve) => socket.once("close", resolve)));
  await listener.close();
  await withTimeout("the connections to be closed", Promise.all(closed));
  await using next = listen(undefined, listener.port);
  expect(next.port).toBe(listener.port);
});

test("a client of an authority that was removed cannot resume its session", async () => {
  const [before, after] = [await Authority.create(), await Authority.create()];
  const shown = await before.issue({ client: true });
  const served = await authority.issue();
  await using listener = listen(credentialsOf(served, before.cert));
  const socket = await open(listener.port, shown);
  const session = new Promise<Buffer>((resolve) => socket.once("session", resolve));
  expect(await request(socket)).toBe("HTTP/1.1 200 OK");
  const resumed = await open(listener.port, { ...shown, session: await session });
  expect(await request(resumed)).toBe("HTTP/1.1 200 OK");
  expect(resumed.isSessionReused()).toBe(true);
  listener.useCredentials(credentialsOf(served, after.cert));
  const refused = open(listener.port, { ...shown, session: await session }).then(request);
  expect(await refused.catch(() => "refused")).toBe("refused");
  for (const each of [socket, resumed]) each.destroy();
});

test("versions before TLS 1.2 are refused", async () => {
  await using listener = listen(first);
  const refused = open(listener.port, { minVersion: "TLSv1", maxVersion: "TLSv1.1" });
  expect(String(await refused.catch((error: unknown) => error))).toMatch(/PROTOCOL_VERSION|protocol version/i);
  const socket = await open(listener.port, { maxVersion: "TLSv1.2" });
  expect(socket.getProtocol()).toBe("TLSv1.2");
  socket.destroy();
});
