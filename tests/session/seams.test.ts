import { describe, expect, test } from "bun:test";

import { ProtocolError } from "../../src/protocol/errors.ts";
import { Sessions } from "../../src/session/sessions.ts";
import { openLine } from "../support/line-dialect.ts";
import { Pipe } from "../support/pipe.ts";
import { SessionHarness } from "../support/session-harness.ts";

/** So many seconds of 16 kHz audio. */
const audio = (seconds: number): Uint8Array => new Uint8Array(Math.round(seconds * 16_000) * 2);

describe("a session by another transport and in another dialect", () => {
  test("holds a whole conversation: greeting, start, audio, results, a flush, the end of the client, last words, close", async () => {
    using harness = new SessionHarness({ "simple.block_ms": 500 });
    const sessions = new Sessions(harness.services);
    const pipe = new Pipe(sessions, openLine("simple"));
    expect(pipe.lines).toEqual(["hello"]);
    pipe.write("open 16000", audio(0.5), audio(0.1), "mark", audio(0.3));
    await harness.answerAll();
    pipe.finish();
    await harness.answerAll();
    expect(pipe.lines).toEqual([
      "hello",
      "ready simulated",
      "heard 0.5",
      "heard 0.6",
      "heard 0.9",
      'result 0 0.5 {"count":8000}',
      'result 0.5 0.6 {"count":1600}',
      "marked 0.6",
      'result 0.6 0.9 {"count":4800}',
      "done 14400",
      "bye",
    ]);
    expect(pipe.closed).toMatchObject({ ending: "stop", code: 1000, reason: "line stop" });
    expect([sessions.size, harness.arena.used]).toEqual([0, 0]);
  });

  test("may have its own limit of messages that wait, up to which it is read", () => {
    const pausedWith = (traits: { readonly inboxBytes?: number }): boolean => {
      using harness = new SessionHarness({ "simple.block_ms": 500, "limits.read_ahead_seconds": 1 });
      const opened = openLine("simple");
      const pipe = new Pipe(new Sessions(harness.services), { ...opened, traits: { ...opened.traits, ...traits } });
      pipe.write("open 16000", ...Array.from({ length: 20 }, () => audio(1)));
      const { paused } = pipe;
      pipe.cut();
      return paused;
    };
    expect([pausedWith({}), pausedWith({ inboxBytes: 1_000_000 })]).toEqual([true, false]);
  });

  test("answers in order with what the session has done by then", async () => {
    using harness = new SessionHarness();
    const pipe = new Pipe(new Sessions(harness.services), openLine("simple"));
    pipe.write("open 16000", "who", audio(0.25), "who");
    expect(pipe.lines.filter((line) => line.startsWith("heard"))).toEqual(["heard 0", "heard 0.25", "heard 0.25"]);
  });

  test("ends where the dialect has nothing to go on with, in the dialect's words", () => {
    using harness = new SessionHarness();
    const sessions = new Sessions(harness.services);
    const pipe = new Pipe(sessions, openLine("simple"));
    pipe.write("what", "open 1");
    expect(pipe.lines).toEqual(["hello", "failed unknown_request", "failed unsupported_format", "bye"]);
    expect(pipe.closed).toMatchObject({ ending: "unsupported_format", code: 4000 });
    expect(sessions.size).toBe(0);
  });

  test("sends the results of the open stream before it ends at a refused start", async () => {
    using harness = new SessionHarness();
    const sessions = new Sessions(harness.services);
    const pipe = new Pipe(sessions, openLine("simple"));
    pipe.write("open 16000", audio(0.3), "open 1", "open 16000", audio(0.3));
    await harness.answerAll();
    expect(pipe.lines.slice(-4)).toEqual([
      'result 0 0.3 {"count":4800}',
      "done 4800",
      "failed unsupported_format",
      "bye",
    ]);
    expect([pipe.closed?.code, sessions.size, harness.arena.used]).toEqual([4000, 0, 0]);
  });

  test("holds the client back while the model is slow, and loses nothing", async () => {
    using harness = new SessionHarness({
      "simple.block_ms": 100,
      "limits.read_ahead_seconds": 0.5,
      "limits.inbox_bytes": 4_096,
    });
    const pipe = new Pipe(new Sessions(harness.services), openLine("simple"));
    pipe.write("open 16000", ...Array.from({ length: 20 }, () => audio(0.1)));
    expect(pipe.paused).toBeTrue();
    await harness.answerAll();
    expect(pipe.paused).toBeFalse();
    pipe.write("end");
    await harness.answerAll();
    expect(pipe.lines.filter((line) => line.startsWith("result"))).toHaveLength(20);
    expect(pipe.lines).toContain("done 32000");
  });

  test("holds the client back while it does not take its results", async () => {
    using harness = new SessionHarness({ "simple.block_ms": 20, "limits.outbox_bytes": 4_096 });
    const pipe = new Pipe(new Sessions(harness.services), openLine("simple"));
    pipe.reading = false;
    pipe.write("open 16000");
    for (let i = 0; i < 100; i++) {
      pipe.write(audio(0.02));
      await harness.answerAll();
    }
    const waiting = pipe.buffered;
    expect(waiting).toBeLessThan(4_096);
    pipe.reading = true;
    pipe.read();
    await harness.answerAll();
    pipe.write("end");
    await harness.answerAll();
    expect(pipe.lines.filter((line) => line.startsWith("result"))).toHaveLength(100);
  });

  test("has the time limits of its dialect", () => {
    using harness = new SessionHarness();
    const sessions = new Sessions(harness.services);
    const slow = new Pipe(sessions, openLine("simple"), "slow");
    const idle = new Pipe(sessions, openLine("simple"), "idle");
    idle.write("open 16000");
    sessions.sweep((harness.now = 2_000));
    expect([slow.closed?.ending, idle.closed]).toEqual(["start_timeout", undefined]);
    sessions.sweep((harness.now = 5_000));
    expect(idle.closed?.ending).toBe("idle_timeout");
  });

  test("does not end for an error of a span, whatever its code means elsewhere", async () => {
    using harness = new SessionHarness({ "simple.block_ms": 500 });
    const pipe = new Pipe(new Sessions(harness.services), openLine("simple"));
    pipe.write("open 16000", audio(1));
    await harness.runDeferred();
    harness.fail();
    await harness.runDeferred();
    pipe.write("end");
    await harness.answerAll();
    expect(pipe.lines.slice(-4)).toEqual([
      "failed inference_failed",
      'result 0.5 1 {"count":8000}',
      "done 16000",
      "bye",
    ]);
  });

  test("is kept open by pings where its dialect counts them", () => {
    using harness = new SessionHarness();
    const sessions = new Sessions(harness.services);
    const counted = new Pipe(sessions, openLine("simple"), "counted");
    const { traits, ...line } = openLine("simple");
    const ignored = new Pipe(sessions, { ...line, traits: { ...traits, pingsCount: false } }, "ignored");
    for (const pipe of [counted, ignored]) pipe.write("open 16000");
    harness.now = 4_000;
    for (const pipe of [counted, ignored]) pipe.ping();
    sessions.sweep((harness.now = 6_000));
    expect([counted.closed?.ending, ignored.closed?.ending]).toEqual([undefined, "idle_timeout"]);
  });

  test("takes its turns at the model by its caller and its stream, the same for all channels", () => {
    using harness = new SessionHarness();
    const sessions = new Sessions(harness.services);
    for (const caller of ["one", "one", "two"]) new Pipe(sessions, openLine("simple"), caller).write("open 16000");
    harness.start("simple", { format: { channels: 2, sample_rate: 16_000, bit_depth: 16, is_float: false } });
    expect(harness.laneOwners.map(({ caller }) => caller)).toEqual(["one", "one", "two", "127.0.0.1", "127.0.0.1"]);
    const streams = harness.laneOwners.map(({ stream }) => stream);
    expect(new Set(streams).size).toBe(4);
    expect(streams[3]).toBe(streams[4] as object);
  });

  test("is counted by its caller, drained and forgotten like any other", async () => {
    using harness = new SessionHarness({ "simple.block_ms": 500, "limits.drain": "now" });
    const sessions = new Sessions(harness.services);
    const [one, two] = [new Pipe(sessions, openLine("simple")), new Pipe(sessions, openLine("simple"))];
    const caller = { id: "pipe", address: "", limits: { maxSessions: 2 } };
    expect(sessions.claim(caller)).toMatchObject({ code: "too_many_sessions" });
    expect(sessions.claim({ ...caller, id: "other" })).not.toBeInstanceOf(ProtocolError);
    one.write("open 16000", audio(0.7));
    two.cut();
    expect(sessions.claim(caller)).not.toBeInstanceOf(ProtocolError);
    const drained = sessions.drain();
    await harness.answerAll();
    await drained;
    expect(one.lines.slice(-2)).toEqual(["done 11200", "bye"]);
    expect([one.closed?.ending, sessions.size]).toEqual(["drain", 0]);
    expect(new Pipe(sessions, openLine("simple")).closed?.ending).toBe("drain");
  });

  test("that vanishes leaves its ledger in the log, with its caller and dialect at its opening", async () => {
    using harness = new SessionHarness();
    const sessions = new Sessions(harness.services);
    const pipe = new Pipe(sessions, openLine("simple"), "somebody");
    pipe.write("open 16000", audio(0.7));
    pipe.cut();
    await harness.runDeferred();
    const event = (name: string): unknown => harness.log.find((record) => record["event"] === name);
    expect(event("session_opened")).toMatchObject({ dialect: "line", pattern: "simple", caller: "somebody" });
    expect(event("stream_stopped")).toMatchObject({ reason: "vanished", ledger: [{ received: 11_200 }] });
    expect([sessions.size, harness.arena.used]).toEqual([0, 0]);
  });
});
