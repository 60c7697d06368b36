import { describe, expect, setDefaultTimeout, test } from "bun:test";

import type { Caller } from "../../src/protocol/caller.ts";
import { ProtocolError } from "../../src/protocol/errors.ts";
import { type Admit, admitByAddress, type Arrival } from "../../src/server/admission.ts";
import { NO_TRACING } from "../../src/telemetry/tracing/no-tracing.ts";
import type { Tracing } from "../../src/telemetry/tracing/tracing.ts";
import { Running } from "../support/in-process.ts";
import { type PeerOptions, Refused } from "../support/peer.ts";
import { waitUntil } from "../support/wait.ts";

// Many times longer than any of these takes, so that a busy machine does not fail them.
setDefaultTimeout(60_000);

const caller = (id: string, maxSessions = 0): Caller => ({ id, address: "", limits: { maxSessions } });

function raise(): never {
  throw new Error("no directory");
}

/** Status and error code of a refused connection; undefined when it is accepted. */
async function refusal(server: Running, options: PeerOptions = {}): Promise<[number, unknown] | undefined> {
  try {
    await server.connect(options);
    return undefined;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    const { code } = JSON.parse(error.body) as { code: unknown };
    return [error.status, code];
  }
}

describe("admission", () => {
  test("sees transport, dialect, host, origin, credentials, address and encryption of an arrival", async () => {
    const arrivals: Arrival[] = [];
    const admit: Admit = (arrival) => {
      arrivals.push(arrival);
      return caller("anybody");
    };
    await using server = await Running.start({}, { admit });
    const headers = { Origin: "https://example.org", Authorization: "Bearer abc" };
    expect(await refusal(server, { headers })).toBeUndefined();
    expect(arrivals).toEqual([
      {
        transport: "websocket",
        dialect: "streamer",
        host: expect.stringMatching(/^(localhost|127\.0\.0\.1):\d+$/),
        origin: "https://example.org",
        credentials: "Bearer abc",
        tls: false,
        address: expect.stringContaining("127.0.0.1"),
      },
    ]);
  });

  test("may take its time: the connection waits, and other requests do not", async () => {
    const decision = Promise.withResolvers<Caller>();
    await using server = await Running.start({}, { admit: () => decision.promise });
    const connected = refusal(server);
    expect((await server.get("/api/v1/health")).status).toBe(200);
    expect(server.server.sessions).toBe(0);
    decision.resolve(caller("late"));
    expect(await connected).toBeUndefined();
    expect(server.server.sessions).toBe(1);
  });

  test("refuses with the status and the error of the table, at once or later", async () => {
    const unauthorized = new ProtocolError("unauthorized", "who are you?");
    for (const answer of [unauthorized, Promise.resolve(unauthorized)]) {
      await using server = await Running.start({}, { admit: () => answer });
      expect(await refusal(server)).toEqual([401, "unauthorized"]);
      expect(server.server.sessions).toBe(0);
    }
  });

  test.each([
    ["at once", () => raise()],
    ["later", () => Promise.reject(new Error("no directory"))],
  ] as [string, Admit][])(
    "that fails %s costs its request only, is logged and counted, and ends its span",
    async (_, fail) => {
      let attempts = 0;
      const admit: Admit = (arrival) => (attempts++ === 0 ? fail(arrival) : caller("second"));
      const responses: unknown[] = [];
      const tracing: Tracing = {
        startConnection: (request, path) => ({
          ...NO_TRACING.startConnection(request, path),
          responded: (...response) => void responses.push(response),
        }),
      };
      await using server = await Running.start({}, { admit, tracing });
      const socket = fetch(`${server.url}/api/v1/simple`, {
        headers: {
          Connection: "Upgrade",
          Upgrade: "websocket",
          "Sec-WebSocket-Version": "13",
          "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        },
      });
      expect((await socket).status).toBe(500);
      expect(server.logged("request_failed")).toHaveLength(1);
      expect(responses).toEqual([[500, "internal"]]);
      const metrics = await (await server.get("/metrics")).text();
      expect(metrics).toContain('streamer_sessions_refused_total{reason="internal"} 1');
      expect(await refusal(server)).toBeUndefined();
    },
  );

  test("that takes until the server drains refuses", async () => {
    const decision = Promise.withResolvers<Caller>();
    await using server = await Running.start({}, { admit: () => decision.promise });
    const attempt = refusal(server);
    await waitUntil("the arrival is being decided", () => server.server.sessions === 0);
    await server.server.drain();
    decision.resolve(caller("late"));
    expect(await attempt).toEqual([503, "draining"]);
  });

  test("counts the sessions of a caller again when they are opened, however long the decisions took", async () => {
    const decision = Promise.withResolvers<Caller>();
    await using server = await Running.start({}, { admit: () => decision.promise });
    const attempts = [refusal(server), refusal(server), refusal(server)];
    decision.resolve(caller("one", 2));
    const answers = await Promise.all(attempts);
    expect(answers.filter((answer) => answer === undefined)).toHaveLength(2);
    expect(answers).toContainEqual([429, "too_many_sessions"]);
  });

  test("by address gives each address the same limits", async () => {
    const admit = admitByAddress({ maxSessions: 3 });
    const arrival: Arrival = { transport: "websocket", dialect: "streamer", tls: false, address: "192.0.2.1" };
    expect(await admit(arrival)).toEqual({ id: "192.0.2.1", address: "192.0.2.1", limits: { maxSessions: 3 } });
  });
});
