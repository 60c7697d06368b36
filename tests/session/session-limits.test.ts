import { describe, expect, test } from "bun:test";

import { concat, encode, noise, speech, voice } from "../support/audio.ts";
import { problemsOf, streamsOf } from "../support/ledgers.ts";
import { S16_MONO } from "../support/peer.ts";
import { Desk, type FakePeer } from "../support/session-harness.ts";

const START = JSON.stringify({ request: "start", format: S16_MONO });
const STOP = JSON.stringify({ request: "stop" });
const FLUSH = JSON.stringify({ request: "flush" });
const KEEP_ALIVE = JSON.stringify({ request: "keep_alive" });

/** So many seconds of audio for `S16_MONO`. */
const audio = (seconds: number): Buffer => encode("s16", noise(seconds));

/** Only one stream, and its ledger adds up with what was sent. */
function expectWhole(peer: FakePeer, bytes: number): void {
  const [stream, ...more] = streamsOf(peer.events);
  expect(more).toEqual([]);
  expect(problemsOf(stream!, { bytes, frameBytes: 2 })).toEqual([]);
}

describe("time", () => {
  test("a connection without an accepted start is closed: error, then 1008", () => {
    using desk = new Desk({ "limits.start_timeout_ms": 1_000 });
    const { session, peer } = desk.open();
    session.receive(STOP);
    session.receive(JSON.stringify({ request: "start" }));
    desk.now = 999;
    session.sweep(desk.now);
    expect(peer.closed).toBeUndefined();
    desk.now = 1_000;
    session.sweep(desk.now);
    expect(peer.story).toEqual(["error no_stream", "error invalid_request", "error start_timeout"]);
    expect(peer.events.at(-1)).toMatchObject({ fatal: true });
    expect(peer.closed).toEqual({ code: 1008, reason: "start_timeout" });
  });

  test("a silent client is closed, with an open stream in the order error, stopped, close", () => {
    using desk = new Desk({ "limits.idle_timeout_ms": 1_000 });
    const { session, peer } = desk.start();
    session.receive(audio(0.25));
    desk.now = 1_000;
    session.sweep(desk.now);
    expect(peer.story).toEqual(["started", "error idle_timeout", "stopped limit"]);
    expect(peer.events[1]).toMatchObject({ fatal: true, channel: 0, start_time: 0, end_time: 0.25 });
    expect(peer.closed).toEqual({ code: 1008, reason: "idle_timeout" });
    expectWhole(peer, 8_000);
    expect(desk.arena.used).toBe(0);
  });

  test("keep_alive keeps a session open and does nothing else", () => {
    using desk = new Desk({ "limits.idle_timeout_ms": 1_000 });
    const { session, peer } = desk.start();
    for (desk.now = 900; desk.now < 5_000; desk.now += 900) {
      session.receive(KEEP_ALIVE);
      session.sweep(desk.now);
    }
    expect(peer.story).toEqual(["started"]);
    desk.now += 1_000;
    session.sweep(desk.now);
    expect(peer.closed?.reason).toBe("idle_timeout");
  });

  test("nobody is idle while results are owed, nor at once when the last one has come", async () => {
    using desk = new Desk({ "limits.idle_timeout_ms": 1_000 });
    const { session, peer } = desk.start();
    session.receive(audio(0.3));
    session.receive(STOP);
    await desk.rest();
    for (desk.now = 250; desk.now <= 10_000; desk.now += 250) session.sweep(desk.now);
    expect(peer.closed).toBeUndefined();
    desk.answer();
    session.sweep(desk.now);
    expect(peer.story).toEqual(["started", "segment", "stopped stop"]);
    expect(peer.closed).toBeUndefined();
    desk.now += 1_000;
    session.sweep(desk.now);
    expect(peer.closed?.reason).toBe("idle_timeout");
  });

  test("nobody is idle whose audio waits for memory", async () => {
    using desk = new Desk({ "limits.idle_timeout_ms": 1_000 }, 1);
    const other = desk.start();
    other.session.receive(audio(0.1));
    const { session, peer } = desk.start();
    session.receive(audio(0.1));
    for (desk.now = 250; desk.now <= 10_000; desk.now += 250) {
      other.session.receive(KEEP_ALIVE);
      session.sweep(desk.now);
    }
    expect(peer.story).toEqual(["started"]);
    other.session.vanished();
    await desk.rest();
    session.sweep(desk.now);
    desk.now += 1_000;
    session.sweep(desk.now);
    expect(peer.closed?.reason).toBe("idle_timeout");
  });

  test("a session ends at its limit, and what was not processed is named", async () => {
    using desk = new Desk({ "limits.session_ms": 60_000 });
    const { session, peer } = desk.start();
    session.receive(audio(0.8));
    await desk.rest();
    desk.now = 60_000;
    session.receive(KEEP_ALIVE);
    session.sweep(desk.now);
    expect(peer.story).toEqual(["started", "error session_limit", "error session_limit", "stopped limit"]);
    expect(peer.events.slice(1, 3)).toMatchObject([
      { start_time: 0, end_time: 0.5 },
      { start_time: 0.5, end_time: 0.8 },
    ]);
    expect(peer.closed).toEqual({ code: 1008, reason: "session_limit" });
    expectWhole(peer, 25_600);
    await desk.rest();
    expect([desk.work.length, desk.arena.used]).toEqual([0, 0]);
  });

  test("a session without a limit does not end", () => {
    using desk = new Desk({ "limits.session_ms": 0, "limits.idle_timeout_ms": 86_400_000 });
    const { session, peer } = desk.start();
    desk.now = 86_000_000;
    session.sweep(desk.now);
    expect(peer.closed).toBeUndefined();
  });
});

describe("size", () => {
  test("messages up to and including the limit are taken, larger ones end the session with 1009", () => {
    for (const [good, bad] of [
      [Buffer.alloc(2_048), Buffer.alloc(2_049)],
      [
        `${KEEP_ALIVE}${" ".repeat(8_192 - KEEP_ALIVE.length)}`,
        `${KEEP_ALIVE}${" ".repeat(8_193 - KEEP_ALIVE.length)}`,
      ],
      // Bytes count, not characters.
      [`"${"é".repeat(4_095)}"`, `"${"é".repeat(4_096)}"`],
    ] as const) {
      using desk = new Desk({ "limits.max_message_bytes": 2_048, "limits.max_text_bytes": 8_192 });
      const { session, peer } = desk.start();
      session.receive(good);
      expect(peer.closed).toBeUndefined();
      session.receive(bad);
      expect(peer.story.slice(-2)).toEqual(["error message_too_big", "stopped limit"]);
      expect(peer.closed).toEqual({ code: 1009, reason: "message_too_big" });
    }
  });

  test("the client is held back while the model is slow, and let go on when it has caught up", async () => {
    using desk = new Desk({ "limits.read_ahead_seconds": 1, "limits.inbox_bytes": 32_000 });
    const { session, peer } = desk.start();
    let sent = 0;
    while (!peer.paused) {
      session.receive(audio(0.1));
      sent += 3_200;
      if (sent > 1_000_000) throw new Error("never held back");
    }
    // A block and the read-ahead are in the memory, the inbox is full; nothing more is.
    expect(sent).toBeLessThanOrEqual(48_000 + 32_000 + 2 * 3_200);
    expect(desk.arena.used).toBeLessThanOrEqual(Math.ceil(24_000 / 4_096) + 1);
    expect(peer.story).toEqual(["started"]);
    session.receive(STOP);
    await desk.answerAll();
    expect(peer.paused).toBeFalse();
    expectWhole(peer, sent);
  });

  test("messages that hold nothing, or next to nothing, fill an inbox too", () => {
    for (const size of [0, 1]) {
      using desk = new Desk({ "limits.read_ahead_seconds": 0.1, "limits.inbox_bytes": 32_000 });
      const { session, peer } = desk.start();
      session.receive(audio(2));
      let count = 0;
      while (!peer.paused) {
        session.receive(Buffer.alloc(size));
        if (count++ > 10_000) throw new Error(`${count} messages of ${size} bytes wait, and more are read`);
      }
    }
  });

  test("jobs and flushes that wait for the model are counted: no more than the limit are taken", async () => {
    using desk = new Desk({ "limits.max_queued_jobs_per_channel": 8, "simple.block_ms": 20 });
    const { session, peer } = desk.start();
    for (let i = 0; i < 100; i++) {
      session.receive(audio(0.01));
      session.receive(FLUSH);
    }
    await desk.rest();
    expect(desk.work.length).toBeLessThanOrEqual(8);
    session.receive(STOP);
    await desk.answerAll();
    expect(peer.story.filter((word) => word === "flushed")).toHaveLength(100);
    expectWhole(peer, 32_000);
  });
});

describe("a client that does not read", () => {
  test("gets no interims any more, is held back, and is closed with 1008 when its outbox is full", async () => {
    using desk = new Desk({ "limits.outbox_bytes": 8_192, "simple.block_ms": 20 });
    const { session, peer } = desk.start("segmented", { interim_results: true, interim_interval_ms: 100 });
    session.receive(encode("s16", concat(noise(0.5), voice(1))));
    await desk.rest();
    peer.buffered = 5_000;
    session.drained();
    desk.answer();
    expect(peer.story).toEqual(["started", "active"]);
    session.receive(audio(0.5));
    expect(desk.arena.used).toBeLessThanOrEqual(7);
    peer.buffered = 0;
    session.drained();
    session.receive(encode("s16", noise(1)));
    peer.buffered = 5_000;
    await desk.rest();
    expect(peer.story).toEqual(["started", "active", "inactive"]);
    peer.buffered = 17 * 1024 * 1024;
    desk.answer(desk.work.findIndex(({ work }) => work.kind === "final"));
    await desk.rest();
    expect(peer.story.slice(3)).toEqual(["segment", "error slow_reader", "stopped limit"]);
    expect(peer.closed).toEqual({ code: 1008, reason: "slow_reader" });
    expectWhole(peer, 96_000);
  });

  test("is not one that reads steadily, though as much is added to what waits for it as it takes", async () => {
    using desk = new Desk({ "limits.slow_reader_ms": 2_000, "simple.block_ms": 20 });
    const { session, peer } = desk.start();
    peer.stuck = true;
    for (desk.now = 0; desk.now < 20_000; desk.now += 500) {
      session.receive(audio(0.02));
      await desk.rest();
      const before = peer.buffered;
      desk.answer();
      session.sweep(desk.now);
      if (before > 0) peer.buffered = before;
    }
    expect(peer.closed).toBeUndefined();
    expect(peer.buffered).toBeGreaterThan(0);
    for (const end = desk.now + 2_500; desk.now < end; desk.now += 500) session.sweep(desk.now);
    expect(peer.closed?.reason).toBe("slow_reader");
  });

  test("is not one that gets the results of what was read before its outbox was half full, however large; no more is read", async () => {
    using desk = new Desk({ "limits.outbox_bytes": 8_192, "limits.slow_reader_ms": 2_000 });
    const { session, peer } = desk.start();
    peer.stuck = true;
    session.receive(audio(1));
    await desk.rest();
    const sound = { audio: { samples: new Float32Array(2_000_000), sampleRate: 16_000 } };
    desk.answer(0, sound);
    await desk.rest();
    session.receive(audio(1));
    session.receive("{");
    await desk.rest();
    desk.answer(0, sound);
    expect([peer.closed, desk.work.length]).toEqual([undefined, 0]);
    expect(peer.story).toEqual(["started", "segment", "segment"]);
    peer.buffered = 0;
    session.drained();
    await desk.answerAll();
    expect(peer.story.slice(3)).toEqual(["error invalid_json", "segment", "segment"]);
  });

  test("is held back when nothing but its mistakes is answered, too", () => {
    using desk = new Desk({ "limits.outbox_bytes": 8_192 });
    const { session, peer } = desk.open();
    peer.stuck = true;
    for (let i = 0; i < 10_000 && !peer.paused; i++) session.receive("{");
    expect(peer.paused).toBeTrue();
    expect(peer.buffered).toBeLessThan(8_192);
    peer.stuck = false;
    peer.buffered = 0;
    session.drained();
    expect(peer.paused).toBeFalse();
  });

  test("is closed when what waits for it has not moved for long, however little it is", async () => {
    using desk = new Desk({ "limits.slow_reader_ms": 2_000 });
    const { session, peer } = desk.start();
    peer.buffered = 100;
    session.drained();
    session.sweep((desk.now = 500));
    peer.buffered = 99;
    session.sweep((desk.now = 2_499));
    session.sweep((desk.now = 4_498));
    expect(peer.closed).toBeUndefined();
    session.receive(audio(0.1));
    session.sweep((desk.now = 4_499));
    expect(peer.story).toEqual(["started", "error slow_reader", "stopped limit"]);
    expect(peer.closed?.code).toBe(1008);
  });
});

describe("the end of a stream that is cut off", () => {
  test("everything received and not processed is named, also what lies unread: behind a flush, and what looked like a header", async () => {
    using desk = new Desk({ "limits.read_ahead_seconds": 0.5, "limits.idle_timeout_ms": 1_000 });
    const { session, peer } = desk.start();
    session.receive(audio(1));
    session.receive(audio(1));
    session.receive(FLUSH);
    session.receive(KEEP_ALIVE);
    session.receive(audio(1));
    session.cut();
    expect(peer.story.at(-1)).toBe("stopped drain");
    expectWhole(peer, 96_000);
    expect(peer.closed?.code).toBe(1001);

    const short = desk.start();
    short.session.receive(Buffer.from("RIFF"));
    short.session.cut();
    expectWhole(short.peer, 4);
    expect(short.peer.events.at(-2)).toMatchObject({ type: "error", start_time: 0, end_time: 2 / 16_000 });
  });

  test("audio behind a stop belongs to no stream", async () => {
    using desk = new Desk();
    const { session, peer } = desk.start();
    session.receive(audio(0.3));
    session.receive(STOP);
    session.receive(audio(1));
    session.cut();
    expectWhole(peer, 9_600);
  });

  test("an odd byte at the end is told as trailing", async () => {
    using desk = new Desk();
    const { session, peer } = desk.start();
    session.receive(audio(0.1));
    session.receive(Buffer.alloc(1));
    session.cut();
    expect(streamsOf(peer.events)[0]?.stopped.trailing_bytes).toBe(1);
    expectWhole(peer, 3_201);
  });

  test("a client that is gone costs nothing any more at once, and its ledger goes to the log", async () => {
    using desk = new Desk();
    const { session, peer } = desk.start("simple", { format: { ...S16_MONO, channels: 2 } });
    session.receive(encode("s16", noise(1), noise(1)));
    await desk.rest();
    expect(desk.work).toHaveLength(4);
    session.vanished();
    await desk.rest();
    expect([desk.work.length, desk.arena.used]).toEqual([0, 0]);
    const [record] = desk.log.filter((each) => each["event"] === "stream_stopped");
    const ledgers = record?.["ledger"] as unknown[];
    expect(ledgers).toHaveLength(2);
    expect(ledgers[1]).toMatchObject({ channel: 1, received: 16_000, decoded: 16_000, failed: 16_000, inferred: 0 });
    expect(peer.story).toEqual(["started"]);
  });
});

describe("a fault of ours", () => {
  test("costs its session and nothing else, wherever it strikes", async () => {
    const strikes: Record<string, (desk: Desk, opened: ReturnType<Desk["start"]>) => void> = {
      "a message": (_, { session }) => session.receive("{"),
      "a message that is too big": (_, { session }) => session.receive(Buffer.alloc(2_000_000)),
      "a deadline": (desk, { session }) => session.sweep((desk.now = 10 ** 9)),
      "a shutdown": (_, { session }) => session.drain(),
      "the end of a shutdown": (_, { session }) => session.cut(),
      "a result": (desk) => desk.answer(),
      "an outcome that cannot be": (desk) => desk.work[0]?.settle({ status: "dropped" }),
      "a client that is gone": (_, { session }) => session.vanished(),
    };
    for (const [what, strike] of Object.entries(strikes)) {
      using desk = new Desk();
      const other = desk.start();
      const opened = desk.start();
      opened.session.receive(audio(0.7));
      await desk.rest();
      opened.peer.broken = !what.includes("cannot be");
      expect(() => strike(desk, opened)).not.toThrow();
      await desk.rest();
      expect({ what, closed: opened.peer.closed !== undefined, used: desk.arena.used }).toEqual({
        what,
        closed: true,
        used: 0,
      });
      other.session.receive(audio(0.2));
      other.session.receive(STOP);
      await desk.answerAll();
      expect(other.peer.story).toEqual(["started", "segment", "stopped stop"]);
    }
  });

  test("is told as internal with 1011, the spans named, and is logged with its cause", async () => {
    using desk = new Desk();
    const { session, peer } = desk.start();
    session.receive(audio(0.7));
    await desk.rest();
    desk.work[0]?.settle({ status: "dropped" });
    expect(peer.story).toEqual(["started", "error internal", "error internal", "stopped error"]);
    expect(peer.closed).toEqual({ code: 1011, reason: "internal" });
    expectWhole(peer, 22_400);
    expect(desk.log.some((record) => record["event"] === "session_crashed")).toBeTrue();
  });
});

describe("memory", () => {
  test("a full arena is waited for in line, and all streams end whole", async () => {
    using desk = new Desk({}, 12);
    const streams = Array.from({ length: 6 }, () => desk.start());
    for (const { session } of streams) {
      session.receive(audio(5));
      session.receive(STOP);
    }
    expect(desk.arena.used).toBe(12);
    await desk.answerAll();
    for (const { peer } of streams) expectWhole(peer, 160_000);
    expect(desk.arena.used).toBe(0);
  });

  test("when nothing could free memory, the stream that holds most ends: overloaded with its bounds, stopped, 1013", async () => {
    using desk = new Desk({}, 24);
    const vad = { max_utterance_ms: 120_000, min_silence_ms: 5_000 };
    const greedy = desk.start("segmented", { vad });
    const modest = desk.start("segmented", { vad });
    modest.session.receive(encode("s16", voice(1)));
    greedy.session.receive(encode("s16", concat(noise(0.8), voice(10, { seed: 5 }))));
    await desk.rest();
    desk.memory.check();
    expect(greedy.peer.story).toEqual(["started", "active"]);
    desk.memory.check();
    expect(greedy.peer.story).toEqual(["started", "active", "error overloaded", "stopped error"]);
    expect(greedy.peer.closed).toEqual({ code: 1013, reason: "overloaded" });
    expect(greedy.peer.events[2]).toMatchObject({ channel: 0, fatal: true, retryable: true, end_time: 10.8 });
    expectWhole(greedy.peer, 345_600);
    expect(modest.peer.closed).toBeUndefined();
    modest.session.receive(STOP);
    await desk.answerAll();
    expectWhole(modest.peer, 32_000);
    expect(desk.arena.used).toBe(0);
  });

  test("nobody is ended while a job is queued or running that will free memory", async () => {
    using desk = new Desk({ "limits.read_ahead_seconds": 100 }, 24);
    const busy = desk.start("simple");
    busy.session.receive(audio(6));
    await desk.rest();
    const waiting = desk.start("segmented");
    waiting.session.receive(encode("s16", speech([5])));
    desk.memory.check();
    desk.memory.check();
    await desk.rest();
    expect([busy.peer.closed, waiting.peer.closed]).toEqual([undefined, undefined]);
    busy.session.receive(STOP);
    waiting.session.receive(STOP);
    await desk.answerAll();
    expectWhole(busy.peer, 192_000);
    expectWhole(waiting.peer, speech([5]).length * 2);
  });

  test("a stream with more channels than the memory has slabs is refused, not started", () => {
    using desk = new Desk({}, 12);
    const { session, peer } = desk.start("simple", { format: { ...S16_MONO, channels: 13 } });
    session.receive(Buffer.alloc(26 * 100));
    expect(peer.story).toEqual(["error unsupported_format", "error audio_before_start"]);
  });
});

describe("shutdown", () => {
  test("what has come is finished, what comes later is not taken, then 1001", async () => {
    using desk = new Desk();
    const { session, peer } = desk.start();
    session.receive(audio(0.7));
    session.drain();
    session.drain();
    session.receive(audio(0.7));
    await desk.answerAll();
    expect(peer.story).toEqual(["started", "warning draining", "segment", "segment", "stopped drain"]);
    expect(peer.closed).toEqual({ code: 1001, reason: "draining" });
    expectWhole(peer, 22_400);
  });

  test("a session without a stream leaves at once", () => {
    using desk = new Desk();
    const { session, peer } = desk.open();
    session.drain();
    expect(peer.story).toEqual(["warning draining"]);
    expect(peer.closed?.code).toBe(1001);
  });

  test("requests that had come before are obeyed: a stop that waits ends its stream as a stop", async () => {
    using desk = new Desk({ "limits.read_ahead_seconds": 0.1 });
    const { session, peer } = desk.start();
    session.receive(audio(3));
    session.receive(FLUSH);
    session.receive(STOP);
    session.receive(START);
    session.receive(audio(0.1));
    session.drain();
    await desk.answerAll();
    const [first, second] = streamsOf(peer.events);
    expect(first?.stopped.reason).toBe("stop");
    expect(second?.stopped).toMatchObject({ reason: "drain", channels: [{ received: 1_600, inferred: 1_600 }] });
    expect(peer.story).toContain("flushed");
  });

  test("at the end of the time whatever is left is named and cut off", async () => {
    using desk = new Desk();
    const { session, peer } = desk.start();
    session.receive(audio(0.7));
    session.drain();
    await desk.rest();
    desk.answer();
    session.cut();
    expect(peer.story).toEqual(["started", "warning draining", "segment", "error draining", "stopped drain"]);
    expect(peer.closed).toEqual({ code: 1001, reason: "draining" });
    expectWhole(peer, 22_400);
  });
});
