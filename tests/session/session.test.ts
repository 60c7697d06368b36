import { describe, expect, test } from "bun:test";

import { encode, noise, speech, voice } from "../support/audio.ts";
import { ledgerProblems, streamsOf } from "../support/ledgers.ts";
import { FLUSH, S16_MONO, START, startRequest, STOP } from "../support/requests.ts";
import { SessionHarness } from "../support/session-harness.ts";

/** So many seconds of audio for `S16_MONO`. */
const audio = (seconds: number): Buffer => encode("s16", noise(seconds));

describe("the conversation", () => {
  test("audio before a start is reported once, and again only after another stream", () => {
    using harness = new SessionHarness();
    const { session, connection } = harness.open();
    session.receive(audio(0.1));
    session.receive(audio(0.1));
    session.receive(START);
    session.receive(STOP);
    session.receive(audio(0.1));
    session.receive(audio(0.1));
    expect(connection.summaries).toEqual([
      "error audio_before_start",
      "started",
      "stopped stop",
      "error audio_before_start",
    ]);
    expect(connection.closed).toBeUndefined();
  });

  test("a start while a stream is open ends that first: its results, its stopped, then the new started", async () => {
    using harness = new SessionHarness();
    const { session, connection } = harness.start();
    session.receive(audio(0.7));
    session.receive(START);
    session.receive(audio(0.2));
    session.receive(STOP);
    expect(connection.summaries).toEqual(["started"]);
    await harness.answerAll();
    expect(connection.summaries).toEqual([
      "started",
      "segment",
      "segment",
      "stopped restart",
      "started",
      "segment",
      "stopped stop",
    ]);
    const [first, second] = streamsOf(connection.events);
    expect(ledgerProblems(first!, { bytes: 22_400, frameBytes: 2 })).toEqual([]);
    expect(ledgerProblems(second!, { bytes: 6_400, frameBytes: 2 })).toEqual([]);
    expect([first!.started.stream, second!.started.stream]).toEqual([0, 1]);
    expect(second!.started.session_id).toBe(first!.started.session_id);
  });

  test("a start that is refused ends the open stream too, and what follows is discarded with one error", async () => {
    using harness = new SessionHarness();
    const { session, connection } = harness.start();
    session.receive(audio(0.2));
    session.receive(startRequest({ format: { ...S16_MONO, sample_rate: 1 } }));
    session.receive(audio(0.2));
    session.receive(audio(0.2));
    await harness.answerAll();
    expect(connection.summaries).toEqual([
      "started",
      "segment",
      "stopped restart",
      "error unsupported_format",
      "error audio_before_start",
    ]);
  });

  test("a refused start is counted by its code, whether it cannot be read or cannot be served", () => {
    using harness = new SessionHarness();
    const { session } = harness.open();
    session.receive(JSON.stringify({ request: "start" }));
    session.receive(startRequest({ model: "none" }));
    const { refused } = harness.metrics.families.streams;
    const counts = ["invalid_request", "unknown_model"].map((reason) => refused.with({ reason }).value);
    expect(counts).toEqual([1, 1]);
  });

  test("a text that cannot be read leaves the open stream alone", async () => {
    using harness = new SessionHarness();
    const { session, connection } = harness.start();
    session.receive(audio(0.2));
    session.receive("{");
    session.receive(JSON.stringify({ request: "sing" }));
    session.receive(JSON.stringify({ request: "stop", now: true }));
    session.receive(audio(0.2));
    session.receive(STOP);
    await harness.answerAll();
    expect(connection.summaries.slice(1)).toEqual([
      "error invalid_json",
      "error unknown_request",
      "error invalid_request",
      "segment",
      "stopped stop",
    ]);
    expect(streamsOf(connection.events)[0]?.stopped.channels[0]?.received).toBe(6_400);
  });

  test("a stop closes the connection only with disconnect, after stopped, with close code 1000", async () => {
    using harness = new SessionHarness();
    const { session, connection } = harness.start();
    session.receive(STOP);
    session.receive(START);
    session.receive(audio(0.2));
    session.receive(JSON.stringify({ request: "stop", disconnect: true }));
    expect(connection.closed).toBeUndefined();
    await harness.answerAll();
    expect(connection.summaries).toEqual(["started", "stopped stop", "started", "segment", "stopped stop"]);
    expect(connection.closed).toEqual({ code: 1000, reason: "stop" });
  });

  test("a result with audio is followed at once by one binary message", async () => {
    using harness = new SessionHarness();
    const { session, connection } = harness.start();
    session.receive(audio(0.2));
    session.receive(STOP);
    await harness.runDeferred();
    const samples = Float32Array.of(0.5, -0.25, 1);
    harness.answer(0, { audio: { samples, sampleRate: 22_050 } });
    expect(connection.events[1]).toMatchObject({ type: "segment", audio: { bytes: 12, sample_rate: 22_050 } });
    expect(connection.binaryMessages.map((bytes) => [...new Float32Array(bytes.slice().buffer)])).toEqual([
      [...samples],
    ]);
  });

  test("timing is sent only on request", async () => {
    using harness = new SessionHarness();
    for (const timing of [false, true]) {
      const { session, connection } = harness.start("simple", { timing });
      session.receive(audio(0.6));
      session.receive(STOP);
      await harness.answerAll();
      const [first, last] = connection.events.filter((event) => event.type === "segment");
      expect(first?.timing).toEqual(timing ? { queue_ms: 1, infer_ms: 2, lag_ms: expect.closeTo(100, 6) } : undefined);
      expect(last?.timing?.lag_ms).toBe(timing ? 0 : undefined);
    }
  });

  test("started has the effective VAD settings, wherever their values come from", () => {
    using harness = new SessionHarness({ "vad.min_silence_ms": 700 });
    const { connection } = harness.start("segmented", {
      vad: { threshold_db: 12, min_silence_ms: null },
      interim_interval_ms: 250,
    });
    expect(connection.events[0]).toMatchObject({
      vad: {
        threshold_db: 12,
        floor_dbfs: -70,
        min_speech_ms: 100,
        min_silence_ms: 700,
        pre_roll_ms: 200,
        post_roll_ms: 100,
      },
      interim_interval_ms: 250,
    });
    const simple = harness.start("simple");
    expect(simple.connection.events[0]).not.toHaveProperty("vad");
  });

  test("VAD settings are refused on routes without VAD, and when they exceed the audio budget of a channel", () => {
    using harness = new SessionHarness({ "limits.channel_budget_seconds": 31 });
    const refusals = [
      ["simple", { vad: { threshold_db: 10 } }, "vad"],
      ["segmented", { vad: { pre_roll_ms: 1_000, max_utterance_ms: 30_000 } }, "vad.max_utterance_ms"],
      ["segmented", { vad: { min_silence_ms: 60, post_roll_ms: 61 } }, "vad.post_roll_ms"],
      ["segmented", { vad: { min_silence_ms: 49 } }, "vad.min_silence_ms"],
    ] as const;
    for (const [route, fields, param] of refusals) {
      const { connection } = harness.start(route, fields);
      expect(connection.events).toEqual([expect.objectContaining({ code: "invalid_request", fatal: false, param })]);
    }
    expect(harness.arena.used).toBe(0);
  });

  test("a default that does not fit what the client has set gives way", () => {
    using harness = new SessionHarness();
    const { connection } = harness.start("segmented", { vad: { min_silence_ms: 60 } });
    expect(connection.events[0]).toMatchObject({ type: "started", vad: { min_silence_ms: 60, post_roll_ms: 60 } });
  });
});

describe("order", () => {
  test("finals come in order of their start though the model answers in any order", async () => {
    using harness = new SessionHarness();
    const { session, connection } = harness.start();
    session.receive(audio(2));
    await harness.runDeferred();
    harness.answer(3);
    harness.answer(1);
    expect(connection.summaries).toEqual(["started"]);
    harness.answer(0);
    expect(connection.summaries).toEqual(["started", "segment", "segment"]);
    harness.fail(0, "worker_crashed");
    expect(connection.events.slice(1)).toMatchObject([
      { start_time: 0, end_time: 0.5 },
      { start_time: 0.5, end_time: 1 },
      { type: "error", code: "worker_crashed", start_time: 1, end_time: 1.5, channel: 0, fatal: false },
      { start_time: 1.5, end_time: 2 },
    ]);
  });

  test("results of one moment are all sent before the end, also over a connection that takes them at once", async () => {
    using harness = new SessionHarness();
    const { session, connection } = harness.start();
    session.receive(audio(1));
    session.receive(STOP);
    const send = connection.send.bind(connection);
    connection.send = (message) => {
      send(message);
      session.writable();
    };
    harness.answer(1);
    harness.answer(0);
    await harness.runDeferred();
    expect(connection.summaries).toEqual(["started", "segment", "segment", "stopped stop"]);
  });

  test("one channel does not wait for another", async () => {
    using harness = new SessionHarness();
    const { session, connection } = harness.start("simple", { format: { ...S16_MONO, channels: 2 } });
    session.receive(encode("s16", noise(0.5), noise(0.5, { seed: 2 })));
    await harness.runDeferred();
    const second = harness.pendingJobs.findIndex(({ lane }) => lane === 1);
    harness.answer(second);
    expect(connection.events.at(-1)).toMatchObject({ type: "segment", channel: 1 });
  });

  test("speech events do not wait for the results of earlier utterances", async () => {
    using harness = new SessionHarness();
    const { session, connection } = harness.start("segmented");
    session.receive(encode("s16", speech([0.8, 0.8])));
    expect(connection.summaries).toEqual(["started", "active", "inactive", "active", "inactive"]);
    await harness.answerAll();
    expect(connection.summaries.slice(5)).toEqual(["segment", "segment"]);
  });

  test("an interim never comes before an earlier utterance's final, and never behind its own", async () => {
    using harness = new SessionHarness();
    const { session, connection } = harness.start("segmented", { interim_results: true, interim_interval_ms: 100 });
    session.receive(encode("s16", speech([0.8])));
    session.receive(encode("s16", voice(0.8)));
    await harness.runDeferred();
    const kinds = harness.pendingJobs.map(({ job }) => job.kind);
    const final = kinds.indexOf("final");
    expect([kinds.slice(0, final).includes("interim"), kinds.slice(final).includes("interim")]).toEqual([true, true]);
    // Everything but the final: the first utterance is over, the second may not overtake it.
    for (let n = harness.pendingJobs.length - 1; n >= 0; n--) if (n !== final) harness.answer(n);
    expect(connection.summaries).not.toContain("interim");
    harness.answer();
    session.receive(encode("s16", voice(0.5)));
    await harness.runDeferred();
    harness.answer();
    expect(connection.summaries.slice(-2)).toEqual(["segment", "interim"]);
    const starts = connection.events.filter((event) => event.type === "segment").map(({ start_time }) => start_time);
    expect(starts[1]).toBeGreaterThan(starts[0]!);
  });

  test("interims are made only for clients that request them", async () => {
    using harness = new SessionHarness();
    const { session } = harness.start("segmented", { interim_results: false, interim_interval_ms: 100 });
    session.receive(encode("s16", voice(2)));
    await harness.runDeferred();
    expect(harness.pendingJobs).toEqual([]);
  });

  test("a failed interim is not reported", async () => {
    using harness = new SessionHarness();
    const { session, connection } = harness.start("segmented", { interim_results: true, interim_interval_ms: 100 });
    session.receive(encode("s16", speech([])));
    session.receive(encode("s16", voice(0.5)));
    await harness.runDeferred();
    harness.fail();
    session.receive(STOP);
    await harness.answerAll();
    expect(connection.summaries).not.toContain("error inference_failed");
    expect(streamsOf(connection.events)[0]?.stopped.channels[0]).toMatchObject({ failed: 0, errors: 0, segments: 1 });
  });

  test("messages that follow a stop wait until it is done", async () => {
    using harness = new SessionHarness();
    const { session, connection } = harness.start();
    session.receive(audio(0.3));
    session.receive(STOP);
    session.receive(FLUSH);
    session.receive(STOP);
    expect(connection.summaries).toEqual(["started"]);
    await harness.answerAll();
    expect(connection.summaries).toEqual(["started", "segment", "stopped stop", "error no_stream", "error no_stream"]);
  });

  test("flushed follows the results that the flush caused, on every channel", async () => {
    using harness = new SessionHarness();
    const { session, connection } = harness.start("simple", { format: { ...S16_MONO, channels: 2 } });
    session.receive(encode("s16", noise(0.3), noise(0.3, { seed: 2 })));
    session.receive(FLUSH);
    expect(connection.summaries).toEqual(["started"]);
    await harness.answerAll();
    expect(connection.events.slice(1)).toMatchObject([
      { type: "segment", channel: 0, end_time: 0.3 },
      { type: "flushed", channel: 0, time: 0.3 },
      { type: "segment", channel: 1, end_time: 0.3 },
      { type: "flushed", channel: 1, time: 0.3 },
    ]);
  });
});

describe("audio that can be taken at once", () => {
  test("keeps its place behind audio that waits for results, and behind a flush", async () => {
    using harness = new SessionHarness({ "limits.max_queued_jobs_per_channel": 1 });
    const { session, connection } = harness.start();
    for (let i = 0; i < 3; i++) session.receive(audio(0.5));
    session.receive(FLUSH);
    session.receive(audio(0.25));
    session.receive(STOP);
    await harness.answerAll();
    const [stream] = streamsOf(connection.events);
    expect(ledgerProblems(stream!, { bytes: 56_000, frameBytes: 2 })).toEqual([]);
    expect(connection.summaries.slice(-4)).toEqual(["segment", "flushed", "segment", "stopped stop"]);
  });

  test("is not taken while the client does not read its results", () => {
    using harness = new SessionHarness({ "limits.outbox_bytes": 10_000 });
    const { session, connection } = harness.start();
    connection.buffered = 6_000;
    session.writable();
    session.receive(audio(0.5));
    expect(session.load.inboxBytes).toBeGreaterThan(16_000);
    connection.buffered = 0;
    session.writable();
    expect(session.load.inboxBytes).toBe(0);
  });
});
