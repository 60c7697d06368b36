import { describe, expect, test } from "bun:test";

import { concat, encode, noise, speech, voice } from "../support/audio.ts";
import { ledgerProblems, streamsOf } from "../support/ledgers.ts";
import { FLUSH, KEEP_ALIVE, START, startRequest, STOP } from "../support/requests.ts";
import { type FakeConnection, SessionHarness } from "../support/session-harness.ts";

/** So many seconds of audio for `S16_MONO`. */
const audio = (seconds: number): Buffer => encode("s16", noise(seconds));

/** Audio that ends within an utterance. */
const openUtterance = encode("s16", concat(noise(0.8), voice(1.6)));

/** Only one stream, and its ledger adds up with what was sent. */
function expectWhole(connection: FakeConnection, bytes: number): void {
  const [stream, ...more] = streamsOf(connection.events);
  expect(more).toEqual([]);
  expect(ledgerProblems(stream!, { bytes, frameBytes: 2 })).toEqual([]);
}

describe("a limit", () => {
  test("that is reached within an utterance ends with its result: it is not thrown away", async () => {
    using harness = new SessionHarness({ "limits.idle_timeout_ms": 3_000 });
    const { session, connection } = harness.start("segmented");
    session.receive(openUtterance);
    session.sweep((harness.now = 2_999));
    expect(connection.summaries).toEqual(["started", "active"]);
    session.sweep((harness.now = 3_000));
    await harness.answerAll();
    expect(connection.summaries.slice(2)).toEqual(["inactive", "segment", "error idle_timeout", "stopped limit"]);
    expect(connection.closed).toEqual({ code: 1008, reason: "idle_timeout" });
    expect(streamsOf(connection.events)[0]?.stopped.channels[0]).toMatchObject({ failed: 0, segments: 1 });
    expectWhole(connection, openUtterance.length);
  });

  test("counts everything received before it, also what waits unread, and ignores later messages", async () => {
    using harness = new SessionHarness({ "limits.session_ms": 60_000, "limits.read_ahead_seconds": 0.1 });
    const { session, connection } = harness.start();
    session.receive(audio(2));
    session.receive(FLUSH);
    session.receive(audio(1));
    session.sweep((harness.now = 60_000));
    session.receive(audio(1));
    session.receive(STOP);
    session.receive(Buffer.alloc(2_000_000));
    await harness.answerAll();
    expect(connection.summaries).toContain("flushed");
    expect(connection.summaries.slice(-2)).toEqual(["error session_limit", "stopped limit"]);
    expectWhole(connection, 96_000);
  });

  test("leaves limits.finish_ms for the results; then errors name the rest", async () => {
    using harness = new SessionHarness({ "limits.session_ms": 60_000, "limits.finish_ms": 2_000 });
    const { session, connection } = harness.start();
    session.receive(audio(0.8));
    session.sweep((harness.now = 60_000));
    await harness.runDeferred();
    harness.answer();
    session.sweep((harness.now = 61_999));
    expect(connection.summaries).toEqual(["started", "segment"]);
    session.sweep((harness.now = 62_000));
    expect(connection.summaries.slice(2)).toEqual(["error session_limit", "error session_limit", "stopped limit"]);
    const [span, limit] = connection.events.slice(2);
    expect(span).toMatchObject({ channel: 0, start_time: 0.5, end_time: 0.8 });
    expect(limit).not.toHaveProperty("start_time");
    expect(connection.closed).toEqual({ code: 1008, reason: "session_limit" });
    expectWhole(connection, 25_600);
    await harness.runDeferred();
    expect([harness.pendingJobs.length, harness.arena.used]).toEqual([0, 0]);
  });

  test("with limits.finish_ms 0 waits for no result", () => {
    using harness = new SessionHarness({ "limits.session_ms": 60_000, "limits.finish_ms": 0 });
    const { session, connection } = harness.start();
    session.receive(audio(0.8));
    session.sweep((harness.now = 60_000));
    session.sweep(harness.now);
    expect(connection.summaries.at(-1)).toBe("stopped limit");
    expectWhole(connection, 25_600);
  });

  test("that is a token which is not valid any more finishes the stream, too, and names itself", async () => {
    using harness = new SessionHarness({ "limits.finish_ms": 2_000 });
    const { session, connection } = harness.start();
    session.receive(audio(0.8));
    const limit = { code: "unauthorized", message: "the token of this session is not valid any more" } as const;
    for (let sweeps = 0; sweeps < 3; sweeps++) session.finish(limit);
    session.receive(audio(1));
    await harness.runDeferred();
    harness.answer();
    session.sweep((harness.now = 2_000));
    expect(connection.summaries).toEqual([
      "started",
      "segment",
      "error unauthorized",
      "error unauthorized",
      "stopped limit",
    ]);
    expect(connection.events.at(-2)).toMatchObject({ ...limit, fatal: true, retryable: false });
    expect(connection.closed).toEqual({ code: 1008, reason: "unauthorized" });
    expectWhole(connection, 25_600);
  });

  test("does not take a stop back: the stream ends with reason stop, then comes the error", async () => {
    using harness = new SessionHarness({ "limits.session_ms": 60_000 });
    const { session, connection } = harness.start();
    session.receive(audio(0.2));
    session.receive(STOP);
    session.sweep((harness.now = 60_000));
    await harness.answerAll();
    expect(connection.summaries).toEqual(["started", "segment", "stopped stop", "error session_limit"]);
    expect(connection.closed?.code).toBe(1008);
  });

  test("lets no further stream start", async () => {
    using harness = new SessionHarness({ "limits.session_ms": 60_000 });
    const { session, connection } = harness.start();
    session.receive(audio(0.2));
    session.receive(START);
    session.receive(audio(0.2));
    session.sweep((harness.now = 60_000));
    await harness.answerAll();
    expect(connection.summaries).toEqual(["started", "segment", "stopped restart", "error session_limit"]);
    expect(connection.closed).toEqual({ code: 1008, reason: "session_limit" });
  });

  test("is reported once when no stream is open, and the session is closed at once", () => {
    using harness = new SessionHarness({ "limits.idle_timeout_ms": 1_000 });
    const { session, connection } = harness.start();
    session.receive(STOP);
    session.sweep((harness.now = 1_000));
    expect(connection.summaries).toEqual(["started", "stopped stop", "error idle_timeout"]);
    expect(connection.closed?.code).toBe(1008);
  });

  test("of a client that does not read ends the stream at once, also while it is being finished", async () => {
    using harness = new SessionHarness({ "limits.session_ms": 60_000, "limits.slow_reader_ms": 2_000 });
    const { session, connection } = harness.start();
    session.receive(audio(0.8));
    connection.buffered = 100;
    session.writable();
    session.sweep((harness.now = 59_000));
    session.sweep((harness.now = 60_000));
    expect(connection.closed).toBeUndefined();
    session.sweep((harness.now = 61_000));
    expect(connection.closed).toEqual({ code: 1008, reason: "slow_reader" });
    // No error for its span: who does not read would not read that either.
    expect(connection.summaries.slice(1)).toEqual(["error slow_reader", "stopped limit"]);
    expectWhole(connection, 25_600);
  });

  test("does not count the time in which results are owed as idle, however long the model takes", async () => {
    using harness = new SessionHarness({ "limits.idle_timeout_ms": 1_000 });
    const { session, connection } = harness.start("segmented");
    session.receive(encode("s16", speech([0.6])));
    await harness.runDeferred();
    for (harness.now = 500; harness.now < 100_000; harness.now += 500) session.sweep(harness.now);
    harness.answer();
    session.sweep(harness.now);
    expect(connection.summaries.at(-1)).toBe("segment");
    expect(connection.closed).toBeUndefined();
  });
});

describe("the drain", () => {
  test("lets the open stream go on until its stop: audio is taken, and results come as before", async () => {
    using harness = new SessionHarness();
    const { session, connection } = harness.start();
    session.receive(audio(0.7));
    session.drain(30_000);
    session.drain(30_000);
    session.receive(audio(0.7));
    await harness.answerAll();
    session.sweep((harness.now = 20_000));
    session.receive(audio(0.3));
    session.receive(FLUSH);
    session.receive(STOP);
    await harness.answerAll();
    const [stream] = streamsOf(connection.events);
    expect(connection.events[1]).toMatchObject({ type: "warning", code: "draining", deadline_ms: 30_000 });
    expect(stream?.stopped).toMatchObject({ reason: "stop", channels: [{ segments: 4, failed: 0 }] });
    expect(connection.events.filter(({ type }) => type === "warning")).toHaveLength(1);
    expect(connection.closed).toEqual({ code: 1001, reason: "draining" });
    expectWhole(connection, 54_400);
  });

  test("closes a session without a stream at once", () => {
    using harness = new SessionHarness();
    const fresh = harness.open();
    const between = harness.start();
    between.session.receive(STOP);
    for (const { session, connection } of [fresh, between]) {
      session.drain(30_000);
      expect(connection.summaries.at(-1)).toBe("warning draining");
      expect(connection.closed).toEqual({ code: 1001, reason: "draining" });
    }
  });

  test("finishes what was received when the deadline has passed, and ignores later audio", async () => {
    using harness = new SessionHarness();
    const { session, connection } = harness.start("segmented");
    session.drain(30_000);
    session.receive(openUtterance);
    session.finish();
    session.receive(audio(1));
    session.receive(STOP);
    expect(connection.closed).toBeUndefined();
    await harness.answerAll();
    const { summaries } = connection;
    expect(summaries).toEqual(["started", "warning draining", "active", "inactive", "segment", "stopped drain"]);
    expect(connection.closed).toEqual({ code: 1001, reason: "draining" });
    expectWhole(connection, openUtterance.length);
  });

  test("names what has no answer after limits.finish_ms, whoever looks first", async () => {
    for (const giveUp of ["the server", "the sweep"]) {
      using harness = new SessionHarness({ "limits.finish_ms": 2_000 });
      const { session, connection } = harness.start();
      session.receive(audio(0.7));
      session.drain(0);
      session.finish();
      await harness.runDeferred();
      harness.answer();
      if (giveUp === "the server") session.abortForShutdown();
      else session.sweep((harness.now = 2_000));
      expect(connection.summaries.slice(2)).toEqual(["segment", "error draining", "stopped drain"]);
      expect(connection.events[3]).toMatchObject({ start_time: 0.5, end_time: 0.7 });
      expect(connection.closed).toEqual({ code: 1001, reason: "draining" });
      expectWhole(connection, 22_400);
    }
  });

  test("refuses a start, after the results of the stream that it ends", async () => {
    for (const start of [START, startRequest({ model: "none" }), '{"request":"start"}']) {
      using harness = new SessionHarness();
      const { session, connection } = harness.start();
      session.receive(audio(0.3));
      session.drain(30_000);
      session.receive(start);
      session.receive(audio(0.3));
      await harness.answerAll();
      expect(connection.summaries.slice(2)).toEqual(["segment", "stopped restart", "error draining"]);
      expect(connection.events.at(-1)).toMatchObject({ fatal: true, retryable: true });
      expect(connection.closed).toEqual({ code: 1001, reason: "draining" });
      expectWhole(connection, 9_600);
      expect(harness.metrics.families.streams.refused.with({ reason: "draining" }).value).toBe(1);
    }
  });

  test("handles what was received before it, in order; a start that waits is refused in its turn", async () => {
    using harness = new SessionHarness({ "limits.read_ahead_seconds": 0.1 });
    const { session, connection } = harness.start();
    session.receive(audio(3));
    session.receive(FLUSH);
    session.receive(STOP);
    session.receive(START);
    session.receive(audio(0.1));
    session.drain(30_000);
    await harness.answerAll();
    expect(connection.summaries.slice(-3)).toEqual(["flushed", "stopped stop", "error draining"]);
    expect(connection.closed?.code).toBe(1001);
    expectWhole(connection, 96_000);
  });

  test("closes with 1000 after a stop with disconnect, as the client asked for it", async () => {
    using harness = new SessionHarness();
    const { session, connection } = harness.start();
    session.drain(30_000);
    session.receive(JSON.stringify({ request: "stop", disconnect: true }));
    expect(connection.summaries.at(-1)).toBe("stopped stop");
    expect(connection.closed).toEqual({ code: 1000, reason: "stop" });
  });

  test("does not wait for a silent client that has no message to end its stream", async () => {
    for (const closingIsStop of [true, false]) {
      using harness = new SessionHarness({ "limits.finish_ms": 2_000 });
      const { session, connection } = harness.open("segmented", undefined, closingIsStop ? { closingIsStop } : {});
      session.receive(START);
      session.drain(30_000);
      session.receive(openUtterance);
      session.sweep((harness.now = 1_900));
      await harness.answerAll();
      session.sweep((harness.now = 3_800));
      expect(connection.closed).toBeUndefined();
      session.sweep((harness.now = 4_100));
      await harness.answerAll();
      expect(connection.closed).toEqual(closingIsStop ? { code: 1001, reason: "draining" } : undefined);
      if (closingIsStop) expectWhole(connection, openUtterance.length);
    }
  });

  test("does not suspend the limits of a session", async () => {
    using harness = new SessionHarness({ "limits.idle_timeout_ms": 1_000 });
    const { session, connection } = harness.start();
    session.receive(audio(0.3));
    session.drain(30_000);
    session.sweep((harness.now = 1_000));
    await harness.answerAll();
    expect(connection.summaries.slice(2)).toEqual(["segment", "error idle_timeout", "stopped limit"]);
    expect(connection.closed).toEqual({ code: 1008, reason: "idle_timeout" });
  });

  test("that begins or ends while a limit finishes the stream changes nothing", async () => {
    using harness = new SessionHarness({ "limits.session_ms": 1_000 });
    const { session, connection } = harness.start();
    session.receive(audio(0.3));
    session.sweep((harness.now = 1_000));
    session.drain(30_000);
    session.finish();
    await harness.answerAll();
    expect(connection.summaries).toEqual(["started", "segment", "error session_limit", "stopped limit"]);
    expect(connection.closed).toEqual({ code: 1008, reason: "session_limit" });
  });
});

describe("a client that has stopped sending", () => {
  /** Lets the time pass to `until`, with looks every 100 ms. */
  function pass(harness: SessionHarness, session: { tick(now: number): void }, until: number): void {
    while (harness.now < until) session.tick((harness.now += 100));
  }

  test("gets its open utterance ended after flush_after_ms, as by a flush but without flushed", async () => {
    using harness = new SessionHarness();
    const { session, connection } = harness.start("segmented", { flush_after_ms: 500 });
    session.receive(openUtterance);
    pass(harness, session, 400);
    expect(connection.summaries).toEqual(["started", "active"]);
    pass(harness, session, 800);
    expect(connection.summaries.slice(2)).toEqual(["inactive"]);
    await harness.answerAll();
    expect(connection.summaries.slice(3)).toEqual(["segment"]);
    expect(connection.events.at(-1)).toMatchObject({ end_time: 2.4, is_final: true });
    session.receive(encode("s16", voice(1)));
    session.receive(STOP);
    await harness.answerAll();
    expect(connection.summaries.slice(4)).toEqual(["active", "inactive", "segment", "stopped stop"]);
    expectWhole(connection, openUtterance.length + 32_000);
  });

  test("gets its partial block ended, on every channel, and the grid restarts there", async () => {
    using harness = new SessionHarness();
    const format = { channels: 2, sample_rate: 16_000, bit_depth: 16, is_float: false };
    const { session, connection } = harness.start("simple", { flush_after_ms: 200, format });
    session.receive(encode("s16", noise(0.7), noise(0.7)));
    pass(harness, session, 500);
    session.receive(encode("s16", noise(0.5), noise(0.5)));
    await harness.answerAll();
    const spans = connection.events.flatMap((event) =>
      event.type === "segment" && event.channel === 1 ? [[event.start_time, event.end_time]] : [],
    );
    expect(spans).toEqual([
      [0, 0.5],
      [0.5, 0.7],
      [0.7, 1.2],
    ]);
  });

  test("is flushed once, and again only after more audio", async () => {
    using harness = new SessionHarness();
    const { session } = harness.start("simple", { flush_after_ms: 200 });
    pass(harness, session, 2_000);
    for (const count of [1, 2]) {
      session.receive(audio(0.1));
      pass(harness, session, harness.now + 2_000);
      session.receive(KEEP_ALIVE);
      pass(harness, session, harness.now + 2_000);
      await harness.runDeferred();
      expect(harness.pendingJobs).toHaveLength(count);
    }
  });

  test("is not one that sends in time, or did not ask for it", async () => {
    using harness = new SessionHarness();
    const paced = harness.start("simple", { flush_after_ms: 200 });
    const other = harness.start("simple");
    other.session.receive(audio(0.1));
    for (let i = 0; i < 30; i++) {
      paced.session.receive(audio(0.01));
      for (const { session } of [paced, other]) session.tick((harness.now += 75));
    }
    await harness.runDeferred();
    expect(harness.pendingJobs).toEqual([]);
  });

  test("is not one whose audio the server has not read: back-pressure never ends an utterance", async () => {
    using harness = new SessionHarness({ "limits.read_ahead_seconds": 0.1, "limits.inbox_bytes": 32_000 });
    const { session, connection } = harness.start("simple", { flush_after_ms: 200 });
    session.receive(audio(1.3));
    session.receive(audio(1.1));
    expect(connection.paused).toBeTrue();
    pass(harness, session, 10_000);
    session.receive(STOP);
    await harness.answerAll();
    const ends = connection.events.flatMap((event) => (event.type === "segment" ? [event.end_time] : []));
    expect(ends).toEqual([0.5, 1, 1.5, 2, 2.4]);
  });

  test("is not one whose audio came while the process was frozen: it is read before the second look", async () => {
    using harness = new SessionHarness();
    const { session } = harness.start("simple", { flush_after_ms: 200 });
    session.receive(audio(0.1));
    session.tick((harness.now = 100));
    session.tick((harness.now = 10_000));
    session.receive(audio(0.1));
    pass(harness, session, 10_200);
    await harness.runDeferred();
    expect(harness.pendingJobs).toEqual([]);
  });

  test("that vanished in the middle of the flush ends its own session only", () => {
    using harness = new SessionHarness();
    const { session, connection } = harness.start("segmented", { flush_after_ms: 200 });
    session.receive(openUtterance);
    connection.broken = true;
    expect(() => pass(harness, session, 1_000)).not.toThrow();
    expect(connection.closed?.code).toBe(1011);
  });
});

test("a message that the transport refuses leaves the ledger and the cause in the log", () => {
  using harness = new SessionHarness();
  const { session } = harness.start();
  session.receive(audio(0.7));
  session.disconnected("message_too_big");
  const [stopped, closed] = harness.log.slice(-2);
  expect(stopped).toMatchObject({
    event: "stream_stopped",
    level: "warning",
    reason: "vanished",
    violation: "message_too_big",
    ledger: [{ received: 11_200, failed: 11_200 }],
  });
  expect(closed).toMatchObject({ event: "session_closed", reason: "message_too_big" });
});
