import { describe, expect, test } from "bun:test";

import type { Stopped } from "../../src/protocol/events.ts";
import { Sessions } from "../../src/session/sessions.ts";
import { concat, encode, noise, speech, voice } from "../support/audio.ts";
import { ledgerProblems, streamsOf } from "../support/ledgers.ts";
import { openLine } from "../support/line-dialect.ts";
import { Pipe } from "../support/pipe.ts";
import { FLUSH, KEEP_ALIVE, S16_MONO, STOP } from "../support/requests.ts";
import { type FakeConnection, SessionHarness } from "../support/session-harness.ts";

/** So many seconds of audio for `S16_MONO`. */
const audio = (seconds: number): Buffer => encode("s16", noise(seconds));

/** Only one stream, and its ledger adds up with what was sent. */
function expectWhole(connection: FakeConnection, bytes: number): void {
  const [stream, ...more] = streamsOf(connection.events);
  expect(more).toEqual([]);
  expect(ledgerProblems(stream!, { bytes, frameBytes: 2 })).toEqual([]);
}

describe("time", () => {
  test("a connection without an accepted start is closed: error, then 1008", () => {
    using harness = new SessionHarness({ "limits.start_timeout_ms": 1_000 });
    const { session, connection } = harness.open();
    session.receive(STOP);
    session.receive(JSON.stringify({ request: "start" }));
    harness.now = 999;
    session.sweep(harness.now);
    expect(connection.closed).toBeUndefined();
    harness.now = 1_000;
    session.sweep(harness.now);
    expect(connection.summaries).toEqual(["error no_stream", "error invalid_request", "error start_timeout"]);
    expect(connection.events.at(-1)).toMatchObject({ fatal: true });
    expect(connection.closed).toEqual({ code: 1008, reason: "start_timeout" });
  });

  test("a silent client gets the results of what it has sent, then error, stopped and close", async () => {
    using harness = new SessionHarness({ "limits.idle_timeout_ms": 1_000 });
    const { session, connection } = harness.start();
    session.receive(audio(0.25));
    harness.now = 1_000;
    session.sweep(harness.now);
    expect(connection.summaries).toEqual(["started"]);
    await harness.answerAll();
    expect(connection.summaries).toEqual(["started", "segment", "error idle_timeout", "stopped limit"]);
    expect(connection.events[2]).toMatchObject({ fatal: true });
    expect(connection.events[2]).not.toHaveProperty("start_time");
    expect(connection.closed).toEqual({ code: 1008, reason: "idle_timeout" });
    expectWhole(connection, 8_000);
    expect(harness.arena.used).toBe(0);
  });

  test("keep_alive keeps a session open and does nothing else", () => {
    using harness = new SessionHarness({ "limits.idle_timeout_ms": 1_000 });
    const { session, connection } = harness.start();
    for (harness.now = 900; harness.now < 5_000; harness.now += 900) {
      session.receive(KEEP_ALIVE);
      session.sweep(harness.now);
    }
    expect(connection.summaries).toEqual(["started"]);
    harness.now += 1_000;
    session.sweep(harness.now);
    expect(connection.closed?.reason).toBe("idle_timeout");
  });

  test("the idle time-out starts when the last result has been sent", async () => {
    using harness = new SessionHarness({ "limits.idle_timeout_ms": 1_000 });
    const { session, connection } = harness.start();
    session.receive(audio(0.3));
    session.receive(STOP);
    await harness.runDeferred();
    for (harness.now = 250; harness.now <= 10_000; harness.now += 250) session.sweep(harness.now);
    expect(connection.closed).toBeUndefined();
    harness.answer();
    session.sweep(harness.now);
    expect(connection.summaries).toEqual(["started", "segment", "stopped stop"]);
    expect(connection.closed).toBeUndefined();
    harness.now += 1_000;
    session.sweep(harness.now);
    expect(connection.closed?.reason).toBe("idle_timeout");
  });

  test("a session whose audio waits for memory is not idle", async () => {
    using harness = new SessionHarness({ "limits.idle_timeout_ms": 1_000 }, 1);
    const other = harness.start();
    other.session.receive(audio(0.1));
    const { session, connection } = harness.start();
    session.receive(audio(0.1));
    for (harness.now = 250; harness.now <= 10_000; harness.now += 250) {
      other.session.receive(KEEP_ALIVE);
      session.sweep(harness.now);
    }
    expect(connection.summaries).toEqual(["started"]);
    other.session.disconnected();
    await harness.runDeferred();
    session.sweep(harness.now);
    harness.now += 1_000;
    session.sweep(harness.now);
    await harness.answerAll();
    expect(connection.closed?.reason).toBe("idle_timeout");
  });

  test("a session ends at its limit, after the results of what was received", async () => {
    using harness = new SessionHarness({ "limits.session_ms": 60_000 });
    const { session, connection } = harness.start();
    session.receive(audio(0.8));
    harness.now = 60_000;
    session.receive(KEEP_ALIVE);
    session.sweep(harness.now);
    await harness.answerAll();
    expect(connection.summaries).toEqual(["started", "segment", "segment", "error session_limit", "stopped limit"]);
    expect(connection.closed).toEqual({ code: 1008, reason: "session_limit" });
    expectWhole(connection, 25_600);
  });

  test("a session without a limit does not end", () => {
    using harness = new SessionHarness({ "limits.session_ms": 0, "limits.idle_timeout_ms": 86_400_000 });
    const { session, connection } = harness.start();
    harness.now = 86_000_000;
    session.sweep(harness.now);
    expect(connection.closed).toBeUndefined();
  });
});

describe("size", () => {
  test("messages up to the limit are accepted, larger ones end the session with close code 1009", () => {
    for (const [good, bad] of [
      [Buffer.alloc(2_048), Buffer.alloc(2_049)],
      [
        `${KEEP_ALIVE}${" ".repeat(8_192 - KEEP_ALIVE.length)}`,
        `${KEEP_ALIVE}${" ".repeat(8_193 - KEEP_ALIVE.length)}`,
      ],
      // Bytes count, not characters.
      [`"${"é".repeat(4_095)}"`, `"${"é".repeat(4_096)}"`],
    ] as const) {
      using harness = new SessionHarness({ "limits.max_message_bytes": 2_048, "limits.max_text_bytes": 8_192 });
      const { session, connection } = harness.start();
      session.receive(good);
      expect(connection.closed).toBeUndefined();
      session.receive(bad);
      expect(connection.summaries.slice(-2)).toEqual(["error message_too_big", "stopped limit"]);
      expect(connection.closed).toEqual({ code: 1009, reason: "message_too_big" });
    }
  });

  test("the client is held back while the model is slow, and let go on when it has caught up", async () => {
    using harness = new SessionHarness({ "limits.read_ahead_seconds": 1, "limits.inbox_bytes": 32_000 });
    const { session, connection } = harness.start();
    let sent = 0;
    while (!connection.paused) {
      session.receive(audio(0.1));
      sent += 3_200;
      if (sent > 1_000_000) throw new Error("never held back");
    }
    // A block and the read-ahead are in the memory, the inbox is full; nothing more is.
    expect(sent).toBeLessThanOrEqual(48_000 + 32_000 + 2 * 3_200);
    expect(harness.arena.used).toBeLessThanOrEqual(Math.ceil(24_000 / 4_096) + 1);
    expect(connection.summaries).toEqual(["started"]);
    session.receive(STOP);
    await harness.answerAll();
    expect(connection.paused).toBeFalse();
    expectWhole(connection, sent);
  });

  test("messages that hold nothing, or next to nothing, fill an inbox too", () => {
    for (const size of [0, 1]) {
      using harness = new SessionHarness({ "limits.read_ahead_seconds": 0.1, "limits.inbox_bytes": 32_000 });
      const { session, connection } = harness.start();
      session.receive(audio(2));
      let count = 0;
      while (!connection.paused) {
        session.receive(Buffer.alloc(size));
        if (count++ > 10_000) throw new Error(`${count} messages of ${size} bytes wait, and more are read`);
      }
    }
  });

  test("jobs and flushes that wait for the model count towards the limit of pending results", async () => {
    using harness = new SessionHarness({ "limits.max_queued_jobs_per_channel": 8, "simple.block_ms": 20 });
    const { session, connection } = harness.start();
    for (let i = 0; i < 100; i++) {
      session.receive(audio(0.01));
      session.receive(FLUSH);
    }
    await harness.runDeferred();
    expect(harness.pendingJobs.length).toBeLessThanOrEqual(8);
    session.receive(STOP);
    await harness.answerAll();
    expect(connection.summaries.filter((word) => word === "flushed")).toHaveLength(100);
    expectWhole(connection, 32_000);
  });
});

describe("a client that does not read", () => {
  test("gets no interims any more, is held back, and is closed with 1008 when its outbox is full", async () => {
    using harness = new SessionHarness({ "limits.outbox_bytes": 8_192, "simple.block_ms": 20 });
    const { session, connection } = harness.start("segmented", { interim_results: true, interim_interval_ms: 100 });
    session.receive(encode("s16", concat(noise(0.5), voice(1))));
    await harness.runDeferred();
    connection.buffered = 5_000;
    session.writable();
    harness.answer();
    expect(connection.summaries).toEqual(["started", "active"]);
    session.receive(audio(0.5));
    expect(harness.arena.used).toBeLessThanOrEqual(7);
    connection.buffered = 0;
    session.writable();
    session.receive(encode("s16", noise(1)));
    connection.buffered = 5_000;
    await harness.runDeferred();
    expect(connection.summaries).toEqual(["started", "active", "inactive"]);
    connection.buffered = 17 * 1024 * 1024;
    harness.answer(harness.pendingJobs.findIndex(({ job }) => job.kind === "final"));
    await harness.runDeferred();
    expect(connection.summaries.slice(3)).toEqual(["segment", "error slow_reader", "stopped limit"]);
    expect(connection.closed).toEqual({ code: 1008, reason: "slow_reader" });
    expectWhole(connection, 96_000);
  });

  test("is not one that reads steadily, even if as much is added as it takes", async () => {
    using harness = new SessionHarness({ "limits.slow_reader_ms": 2_000, "simple.block_ms": 20 });
    const { session, connection } = harness.start();
    connection.clientStalled = true;
    for (harness.now = 0; harness.now < 20_000; harness.now += 500) {
      session.receive(audio(0.02));
      await harness.runDeferred();
      const before = connection.buffered;
      harness.answer();
      session.sweep(harness.now);
      if (before > 0) connection.buffered = before;
    }
    expect(connection.closed).toBeUndefined();
    expect(connection.buffered).toBeGreaterThan(0);
    for (const end = harness.now + 2_500; harness.now < end; harness.now += 500) session.sweep(harness.now);
    expect(connection.closed?.reason).toBe("slow_reader");
  });

  test("is not one that gets the results of what was read before its outbox was half full, however large; no more is read", async () => {
    using harness = new SessionHarness({ "limits.outbox_bytes": 8_192, "limits.slow_reader_ms": 2_000 });
    const { session, connection } = harness.start();
    connection.clientStalled = true;
    session.receive(audio(1));
    await harness.runDeferred();
    const sound = { audio: { samples: new Float32Array(2_000_000), sampleRate: 16_000 } };
    harness.answer(0, sound);
    await harness.runDeferred();
    session.receive(audio(1));
    session.receive("{");
    await harness.runDeferred();
    harness.answer(0, sound);
    expect([connection.closed, harness.pendingJobs.length]).toEqual([undefined, 0]);
    expect(connection.summaries).toEqual(["started", "segment", "segment"]);
    connection.buffered = 0;
    session.writable();
    await harness.answerAll();
    expect(connection.summaries.slice(3)).toEqual(["error invalid_json", "segment", "segment"]);
  });

  test("is held back when nothing but its mistakes is answered, too", () => {
    using harness = new SessionHarness({ "limits.outbox_bytes": 8_192 });
    const { session, connection } = harness.open();
    connection.clientStalled = true;
    for (let i = 0; i < 10_000 && !connection.paused; i++) session.receive("{");
    expect(connection.paused).toBeTrue();
    expect(connection.buffered).toBeLessThan(8_192);
    connection.clientStalled = false;
    connection.buffered = 0;
    session.writable();
    expect(connection.paused).toBeFalse();
  });

  test("is held back when nothing but its pings is answered, too, and closed when it goes on not reading", () => {
    using harness = new SessionHarness({ "limits.outbox_bytes": 8_192, "limits.slow_reader_ms": 2_000 });
    const { session, connection } = harness.start();
    // The transport answers pings itself.
    const ping = (bytes: number): void => {
      connection.buffered += bytes;
      session.pinged();
    };
    for (let i = 0; i < 1_000 && !connection.paused; i++) ping(127);
    expect(connection.paused).toBeTrue();
    expect(connection.buffered).toBeLessThan(8_192);
    connection.buffered = 2_000;
    session.writable();
    expect(connection.paused).toBeFalse();
    ping(4_000);
    expect(connection.paused).toBeTrue();
    for (harness.now = 0; harness.now <= 2_500; harness.now += 500) session.sweep(harness.now);
    expect(connection.closed).toEqual({ code: 1008, reason: "slow_reader" });
  });

  test("gets no error for each of its spans, only slow_reader and stopped; the ledger counts them", async () => {
    using harness = new SessionHarness({ "limits.slow_reader_ms": 2_000, "simple.block_ms": 20 });
    const { session, connection } = harness.start();
    session.receive(audio(2));
    await harness.runDeferred();
    connection.buffered = 100;
    session.writable();
    for (harness.now = 0; harness.now <= 2_500; harness.now += 500) session.sweep(harness.now);
    expect(connection.summaries).toEqual(["started", "error slow_reader", "stopped limit"]);
    const [stopped] = connection.events.filter((event): event is Stopped => event.type === "stopped");
    expect(stopped?.channels[0]).toMatchObject({ decoded: 32_000, failed: 32_000 });
    expectWhole(connection, 64_000);
  });

  test("is closed when what waits for it has not moved for long, however little it is", async () => {
    using harness = new SessionHarness({ "limits.slow_reader_ms": 2_000 });
    const { session, connection } = harness.start();
    connection.buffered = 100;
    session.writable();
    session.sweep((harness.now = 500));
    connection.buffered = 99;
    session.sweep((harness.now = 2_499));
    session.sweep((harness.now = 4_498));
    expect(connection.closed).toBeUndefined();
    session.receive(audio(0.1));
    session.sweep((harness.now = 4_499));
    expect(connection.summaries).toEqual(["started", "error slow_reader", "stopped limit"]);
    expect(connection.closed?.code).toBe(1008);
  });
});

describe("a stream that is aborted", () => {
  test("everything received and not processed is named, also what lies unread: behind a flush, and what looked like a header", async () => {
    using harness = new SessionHarness({ "limits.read_ahead_seconds": 0.5, "limits.idle_timeout_ms": 1_000 });
    const { session, connection } = harness.start();
    session.receive(audio(1));
    session.receive(audio(1));
    session.receive(FLUSH);
    session.receive(KEEP_ALIVE);
    session.receive(audio(1));
    session.abortForShutdown();
    expect(connection.summaries.at(-1)).toBe("stopped drain");
    expectWhole(connection, 96_000);
    expect(connection.closed?.code).toBe(1001);

    const short = harness.start();
    short.session.receive(Buffer.from("RIFF"));
    short.session.abortForShutdown();
    expectWhole(short.connection, 4);
    expect(short.connection.events.at(-2)).toMatchObject({ type: "error", start_time: 0, end_time: 2 / 16_000 });
  });

  test("audio behind a stop belongs to no stream", async () => {
    using harness = new SessionHarness();
    const { session, connection } = harness.start();
    session.receive(audio(0.3));
    session.receive(STOP);
    session.receive(audio(1));
    session.abortForShutdown();
    expectWhole(connection, 9_600);
  });

  test("an odd byte at the end is reported as trailing", async () => {
    using harness = new SessionHarness();
    const { session, connection } = harness.start();
    session.receive(audio(0.1));
    session.receive(Buffer.alloc(1));
    session.abortForShutdown();
    expect(streamsOf(connection.events)[0]?.stopped.trailing_bytes).toBe(1);
    expectWhole(connection, 3_201);
  });

  test("a client that disconnects frees everything immediately, and its ledger is logged", async () => {
    using harness = new SessionHarness();
    const { session, connection } = harness.start("simple", { format: { ...S16_MONO, channels: 2 } });
    session.receive(encode("s16", noise(1), noise(1)));
    await harness.runDeferred();
    expect(harness.pendingJobs).toHaveLength(4);
    session.disconnected();
    await harness.runDeferred();
    expect([harness.pendingJobs.length, harness.arena.used]).toEqual([0, 0]);
    const [record] = harness.log.filter((each) => each["event"] === "stream_stopped");
    const ledgers = record?.["ledger"] as unknown[];
    expect(ledgers).toHaveLength(2);
    expect(ledgers[1]).toMatchObject({ channel: 1, received: 16_000, decoded: 16_000, failed: 16_000, inferred: 0 });
    expect(connection.summaries).toEqual(["started"]);
  });
});

describe("an internal fault", () => {
  test("ends its own session only, wherever it occurs", async () => {
    const strikes: Record<string, (harness: SessionHarness, opened: ReturnType<SessionHarness["start"]>) => void> = {
      "a message": (_, { session }) => session.receive("{"),
      "a message that is too big": (_, { session }) => session.receive(Buffer.alloc(2_000_000)),
      "a deadline": (harness, { session }) => {
        session.sweep((harness.now = 10 ** 9));
        session.sweep((harness.now += 5_000));
      },
      "a shutdown": (_, { session }) => session.drain(0),
      "the end of a shutdown": (_, { session }) => session.abortForShutdown(),
      "a result": (harness) => harness.answer(),
      "an outcome that cannot be": (harness) => harness.pendingJobs[0]?.settle({ status: "dropped" }),
      "a client that is gone": (_, { session }) => session.disconnected(),
    };
    for (const [what, strike] of Object.entries(strikes)) {
      using harness = new SessionHarness();
      const other = harness.start();
      const opened = harness.start();
      opened.session.receive(audio(0.7));
      await harness.runDeferred();
      opened.connection.broken = !what.includes("cannot be");
      expect(() => strike(harness, opened)).not.toThrow();
      await harness.runDeferred();
      expect({ what, closed: opened.connection.closed !== undefined, used: harness.arena.used }).toEqual({
        what,
        // A connection that is gone needs no close.
        closed: what !== "a client that is gone",
        used: 0,
      });
      other.session.receive(audio(0.2));
      other.session.receive(STOP);
      await harness.answerAll();
      expect(other.connection.summaries).toEqual(["started", "segment", "stopped stop"]);
    }
  });

  test("is reported as internal with the open spans and close code 1011, and is logged with its cause", async () => {
    using harness = new SessionHarness();
    const { session, connection } = harness.start();
    session.receive(audio(0.7));
    await harness.runDeferred();
    harness.pendingJobs[0]?.settle({ status: "dropped" });
    expect(connection.summaries).toEqual(["started", "error internal", "error internal", "stopped error"]);
    expect(connection.closed).toEqual({ code: 1011, reason: "internal" });
    expectWhole(connection, 22_400);
    expect(harness.log.some((record) => record["event"] === "session_crashed")).toBeTrue();
  });
});

describe("memory", () => {
  test("a full arena is waited for in line, and all streams end whole", async () => {
    using harness = new SessionHarness({}, 12);
    const streams = Array.from({ length: 6 }, () => harness.start());
    for (const { session } of streams) {
      session.receive(audio(5));
      session.receive(STOP);
    }
    expect(harness.arena.used).toBe(12);
    await harness.answerAll();
    for (const { connection } of streams) expectWhole(connection, 160_000);
    expect(harness.arena.used).toBe(0);
  });

  test("when nothing could free memory, the stream that holds most ends: overloaded with its bounds, stopped, 1013", async () => {
    using harness = new SessionHarness({}, 24);
    const vad = { max_utterance_ms: 120_000, min_silence_ms: 5_000 };
    const greedy = harness.start("segmented", { vad });
    const modest = harness.start("segmented", { vad });
    modest.session.receive(encode("s16", voice(1)));
    greedy.session.receive(encode("s16", concat(noise(0.8), voice(10, { seed: 5 }))));
    await harness.runDeferred();
    harness.memory.check(0);
    expect(greedy.connection.summaries).toEqual(["started", "active"]);
    harness.memory.check(0);
    expect(greedy.connection.summaries).toEqual(["started", "active", "error overloaded", "stopped error"]);
    expect(greedy.connection.closed).toEqual({ code: 1013, reason: "overloaded" });
    expect(greedy.connection.events[2]).toMatchObject({ channel: 0, fatal: true, retryable: true, end_time: 10.8 });
    expectWhole(greedy.connection, 345_600);
    expect(modest.connection.closed).toBeUndefined();
    modest.session.receive(STOP);
    await harness.answerAll();
    expectWhole(modest.connection, 32_000);
    expect(harness.arena.used).toBe(0);
  });

  test("no session is ended while a queued or running job will free memory", async () => {
    using harness = new SessionHarness({ "limits.read_ahead_seconds": 100 }, 24);
    const busy = harness.start("simple");
    busy.session.receive(audio(6));
    await harness.runDeferred();
    const waiting = harness.start("segmented");
    waiting.session.receive(encode("s16", speech([5])));
    harness.memory.check(0);
    harness.memory.check(0);
    await harness.runDeferred();
    expect([busy.connection.closed, waiting.connection.closed]).toEqual([undefined, undefined]);
    busy.session.receive(STOP);
    waiting.session.receive(STOP);
    await harness.answerAll();
    expectWhole(busy.connection, 192_000);
    expectWhole(waiting.connection, speech([5]).length * 2);
  });

  test("a stream with more channels than the memory has slabs is refused, not started", () => {
    using harness = new SessionHarness({}, 12);
    const { session, connection } = harness.start("simple", { format: { ...S16_MONO, channels: 13 } });
    session.receive(Buffer.alloc(26 * 100));
    expect(connection.summaries).toEqual(["error unsupported_format", "error audio_before_start"]);
  });
});

describe("totals of all sessions", () => {
  test("the fuller all inboxes are together, the earlier a connection is paused, and none is at first", async () => {
    using harness = new SessionHarness({
      "limits.inbox_total_mb": 1,
      "limits.inbox_bytes": 4_194_304,
      "limits.read_ahead_seconds": 0.1,
    });
    const sessions = Array.from({ length: 3 }, () => harness.start("simple"));
    const taken = sessions.map(({ session, connection }) => {
      let messages = 0;
      while (!connection.paused) {
        session.receive(audio(0.5));
        messages += 1;
      }
      return messages;
    });
    expect(taken[0]).toBeGreaterThan(7);
    expect(taken[0]).toBeLessThan(20);
    expect(taken[2]).toBeLessThan(taken[0] ?? 0);
    await harness.answerAll();
    for (const { connection } of sessions) expect(connection.paused).toBe(false);
  });

  test("a session with many jobs in the queue is not read while those of all are too many", async () => {
    using harness = new SessionHarness({
      "limits.results_total_mb": 1,
      "limits.max_queued_jobs_per_channel": 4_096,
      "limits.read_ahead_seconds": 100,
      "simple.block_ms": 20,
    });
    const sessions = new Sessions(harness.services);
    const [busy, idle] = [new Pipe(sessions, openLine("simple")), new Pipe(sessions, openLine("simple"))];
    for (const pipe of [busy, idle]) pipe.write("open 16000");
    busy.write(audio(15));
    sessions.sweep(0);
    const queued = harness.pendingJobs.length;
    expect(queued).toBe(750);
    for (let i = 0; i < 10; i++) busy.write(audio(1));
    expect(harness.pendingJobs).toHaveLength(queued);
    // Whoever has little in the queue goes on.
    idle.write(audio(0.1));
    expect(harness.pendingJobs).toHaveLength(queued + 5);
    await harness.answerAll();
    sessions.sweep(500);
    await harness.answerAll();
    busy.write("end");
    await harness.answerAll();
    expect(busy.lines).toContain(`done ${25 * 16_000}`);
  });
});
