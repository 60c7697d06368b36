import { describe, expect, setDefaultTimeout, test } from "bun:test";

import type { Caller } from "../../src/protocol/caller.ts";
import { ProtocolError } from "../../src/protocol/errors.ts";
import { type Admit, admitByAddress, type Arrival } from "../../src/server/admission.ts";
import { NO_TRACING } from "../../src/telemetry/tracing/no-tracing.ts";
import type { Tracing } from "../../src/telemetry/tracing/tracing.ts";
import { InProcessServer } from "../support/in-process-server.ts";
import { waitUntil } from "../support/wait.ts";
import { type ConnectOptions, UpgradeRefused } from "../support/websocket-client.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const caller = (id: string, maxSessions = 0): Caller => ({ id, address: "", limits: { maxSessions } });

function fail(): never {
  throw new Error("the directory is unreachable");
}

/** Returns the status and the error code of a refused handshake, or undefined when it is accepted. */
async function refusal(server: InProcessServer, options: ConnectOptions = {}): Promise<[number, unknown] | undefined> {
  try {
    await server.connect(options);
    return undefined;
  } catch (error) {
    if (!(error instanceof UpgradeRefused)) throw error;
    const { code } = JSON.parse(error.body) as { code: unknown };
    return [error.status, code];
  }
}

describe("admission", () => {
  test("receives transport, dialect, host, origin, credentials, address and encryption of a connection", async () => {
    const arrivals: Arrival[] = [];
    const admit: Admit = (arrival) => {
      arrivals.push(arrival);
      return caller("any");
    };
    await using server = await InProcessServer.start({ "server.allowed_origins": "https://example.org" }, { admit });
    const headers = { Origin: "https://example.org", Authorization: "Bearer abc" };
    expect(await refusal(server, { headers })).toBeUndefined();
    expect(arrivals).toEqual([
      {
        transport: "websocket",
        dialect: "streamer",
        host: expect.stringMatching(/^(localhost|127\.0\.0\.1):\d+$/),
        origin: "https://example.org",
        path: "/api/v1/segmented",
        credentials: { token: "abc", ticket: undefined },
        tls: false,
        address: "127.0.0.1",
        isLocal: true,
      },
    ]);
  });

  test("comes first: a stranger learns neither that the server is loading, nor that it is full or shutting down", async () => {
    const admit: Admit = ({ credentials }) =>
      credentials.token === "right" ? caller("known") : new ProtocolError("unauthorized", "a token is required");
    const known = { headers: { Authorization: "Bearer right" } };
    const stranger = [401, "unauthorized"] as [number, unknown];
    await using server = await InProcessServer.start(
      { "limits.max_sessions": 1, "model.delay": 0.3 },
      { admit, load: false },
    );
    expect([await refusal(server), await refusal(server, known)]).toEqual([stranger, [503, "not_ready"]]);
    await server.load();
    const client = await server.connect(known);
    expect([await refusal(server), await refusal(server, known)]).toEqual([stranger, [503, "overloaded"]]);
    client.start();
    await client.nextEvent("started");
    const drained = server.drain();
    expect([await refusal(server), await refusal(server, known)]).toEqual([stranger, [503, "draining"]]);
    client.stop();
    await drained;
  });

  test("may be asynchronous: its connection waits, and other requests do not", async () => {
    const decision = Promise.withResolvers<Caller>();
    await using server = await InProcessServer.start({}, { admit: () => decision.promise });
    const connected = refusal(server);
    expect((await server.fetch("/api/v1/health")).status).toBe(200);
    expect(server.sessions).toBe(0);
    decision.resolve(caller("late"));
    expect(await connected).toBeUndefined();
    expect(server.sessions).toBe(1);
  });

  test("refuses with the status and the code of its error, synchronously or not", async () => {
    const unauthorized = new ProtocolError("unauthorized", "a token is required");
    for (const answer of [unauthorized, Promise.resolve(unauthorized)]) {
      await using server = await InProcessServer.start({}, { admit: () => answer });
      expect(await refusal(server)).toEqual([401, "unauthorized"]);
      expect(server.sessions).toBe(0);
    }
  });

  test.each([
    ["synchronously", () => fail()],
    ["asynchronously", () => Promise.reject(new Error("the directory is unreachable"))],
  ] as [string, Admit][])(
    "that fails %s affects its request only, is logged and counted, and ends its span",
    async (_, failing) => {
      let attempts = 0;
      const admit: Admit = (arrival) => (attempts++ === 0 ? failing(arrival) : caller("second"));
      const responses: unknown[] = [];
      const tracing: Tracing = {
        startConnection: (request, path) => ({
          ...NO_TRACING.startConnection(request, path),
          responded: (...response) => void responses.push(response),
        }),
      };
      await using server = await InProcessServer.start({}, { admit, tracing });
      const response = await fetch(`${server.url}/api/v1/simple`, {
        headers: {
          Connection: "Upgrade",
          Upgrade: "websocket",
          "Sec-WebSocket-Version": "13",
          "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        },
      });
      expect(response.status).toBe(500);
      expect(server.logged("request_failed")).toHaveLength(1);
      expect(responses).toEqual([[500, "internal"]]);
      const metrics = await (await server.fetch("/metrics")).text();
      expect(metrics).toContain('streamer_sessions_refused_total{reason="internal"} 1');
      expect(await refusal(server)).toBeUndefined();
    },
  );

  test("that is decided after the server began to drain refuses the connection", async () => {
    const decision = Promise.withResolvers<Caller>();
    await using server = await InProcessServer.start({}, { admit: () => decision.promise });
    const attempt = refusal(server);
    await waitUntil("the connection to await admission", () => server.sessions === 0);
    await server.drain();
    decision.resolve(caller("late"));
    expect(await attempt).toEqual([503, "draining"]);
  });

  test("checks the number of sessions of a caller again when a session opens", async () => {
    const decision = Promise.withResolvers<Caller>();
    await using server = await InProcessServer.start({}, { admit: () => decision.promise });
    const attempts = [refusal(server), refusal(server), refusal(server)];
    decision.resolve(caller("one", 2));
    const answers = await Promise.all(attempts);
    expect(answers.filter((answer) => answer === undefined)).toHaveLength(2);
    expect(answers).toContainEqual([429, "too_many_sessions"]);
  });

  describe("by address", () => {
    const limits = { maxSessions: 3 };
    const admitted = async (address: string, isLocal = false) => {
      const from = { address, isLocal, path: "/api/v1/simple", credentials: {} };
      const arrival: Arrival = { transport: "websocket", dialect: "streamer", tls: false, ...from };
      return await admitByAddress(limits)(arrival);
    };

    test("gives every address its own caller and the same limits", async () => {
      expect(await admitted("192.0.2.1")).toEqual({ id: "192.0.2.1", address: "192.0.2.1", limits });
      expect(await admitted("192.0.2.2")).toEqual({ id: "192.0.2.2", address: "192.0.2.2", limits });
    });

    test("counts an IPv6 client by its network of 64 bits, and a neighbour on the link by its address", async () => {
      const address = "2001:db8:1:2:3:4:5:6";
      expect(await admitted(address)).toEqual({ id: "2001:db8:1:2::/64", address, limits });
      expect(await admitted("2001:db8:1:2::9")).toMatchObject({ id: "2001:db8:1:2::/64" });
      expect(await admitted("2001:db8:1:3::9")).toMatchObject({ id: "2001:db8:1:3::/64" });
      expect(await admitted("fe80::1")).toMatchObject({ id: "fe80::1", limits });
    });

    test("limits no program of the machine itself", async () => {
      for (const address of ["127.0.0.1", "127.9.9.9", "::1"]) {
        const exempt = { maxSessions: 0, isExempt: true };
        expect(await admitted(address, true)).toEqual({ id: address, address, limits: exempt });
        expect(await admitted(address, false)).toEqual({ id: address, address, limits });
      }
    });
  });
});
