import { describe, expect, test } from "bun:test";

import { SharedFrameBudget } from "../../../src/server/frame-budget.ts";
import { TcpConnection } from "../../../src/server/tcp/tcp-connection.ts";

const STOP = { ending: "stop", code: 1000, reason: "stop" } as const;

/** A connection on a socket that is a list of calls, at a time that the test sets. */
function connect() {
  const calls: string[] = [];
  const state = { now: 0, room: Infinity, written: "" };
  const call = (name: string) => (): never => calls.push(name) as never;
  const socket = {
    write: (data: unknown) => {
      const bytes = Buffer.from(data as Uint8Array);
      const taken = Math.min(bytes.length, state.room);
      state.room -= taken;
      state.written += bytes.subarray(0, taken).toString();
      return taken;
    },
    pause: call("pause"),
    resume: call("resume"),
    shutdown: call("shutdown"),
    end: call("end"),
    terminate: call("terminate"),
  };
  const clock = () => state.now;
  const connection = new TcpConnection(socket, clock, new SharedFrameBudget(clock).open());
  return { connection, calls, state };
}

describe("a TCP connection", () => {
  test("sends everything and last words, and then that nothing follows; the client ends it", () => {
    const { connection, calls, state } = connect();
    state.room = 3;
    connection.send("hello ");
    expect(connection.buffered).toBe(3);
    connection.close({ ...STOP, last: ["bye"] });
    expect(calls).toEqual(["resume"]);
    state.room = Infinity;
    connection.drained();
    expect([state.written, connection.buffered, calls.at(-1)]).toEqual(["hello bye", 0, "shutdown"]);
    connection.finished();
    expect(calls.at(-1)).toBe("end");
    connection.gone();
    connection.sweep(100_000);
    expect(calls).toEqual(["resume", "shutdown", "end"]);
  });

  test("is ended at once when the client has ended its side already", () => {
    const { connection, calls } = connect();
    connection.finished();
    expect(calls).toEqual([]);
    connection.close(STOP);
    expect(calls.at(-1)).toBe("end");
  });

  test("gives a client that takes nothing 8 s, one that has not for long 4 s, and each progress renews it", () => {
    for (const [ending, patience] of [
      ["stop", 8_000],
      ["slow_reader", 4_000],
    ] as const) {
      const { connection, calls, state } = connect();
      state.room = 0;
      connection.send("x".repeat(100));
      connection.close({ ...STOP, ending });
      connection.sweep((state.now = patience - 1));
      state.room = 10;
      connection.drained();
      connection.sweep((state.now = patience));
      connection.sweep((state.now = 2 * patience - 1));
      expect(calls).not.toContain("terminate");
      connection.sweep((state.now = 2 * patience));
      expect(calls).toContain("terminate");
    }
  });

  test("lets a client finish what it sends for 5 s, and 16 MiB of it", () => {
    const slow = connect();
    slow.connection.close(STOP);
    slow.connection.sweep((slow.state.now = 4_999));
    expect(slow.calls).not.toContain("terminate");
    slow.connection.sweep((slow.state.now = 5_000));
    expect(slow.calls).toContain("terminate");
    const much = connect();
    much.connection.close(STOP);
    much.connection.discard(16 * 1024 * 1024);
    expect(much.calls).not.toContain("terminate");
    much.connection.discard(1);
    expect(much.calls).toContain("terminate");
  });

  test("is ended for its descriptor once everything is sent, and not before", () => {
    const { connection, calls, state } = connect();
    connection.endIfShut();
    state.room = 0;
    connection.send("hello");
    connection.close(STOP);
    connection.endIfShut();
    expect(calls).not.toContain("end");
    state.room = Infinity;
    connection.drained();
    connection.endIfShut();
    expect([state.written, calls.at(-1)]).toEqual(["hello", "end"]);
  });

  test("is not read for a while when too many small messages come, and not before the session wants to read", () => {
    const { connection, calls, state } = connect();
    for (let i = 0; i < 1_000_000 && !calls.includes("pause"); i++) connection.countSmallMessage();
    expect(calls).toEqual(["pause"]);
    connection.resume();
    expect(calls).toEqual(["pause"]);
    connection.pause();
    connection.sweep((state.now = 60_000));
    expect(calls).toEqual(["pause", "pause"]);
    connection.resume();
    expect(calls.at(-1)).toBe("resume");
  });
});
