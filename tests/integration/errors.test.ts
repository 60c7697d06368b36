import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";

import { type ErrorCode, ERRORS } from "../../src/protocol/errors.ts";
import type { ErrorEvent } from "../../src/protocol/events.ts";
import { concat, encode, noise, voice, wav } from "../support/audio.ts";
import { type Keys, Running } from "../support/in-process.ts";
import { problemsOf, streamsOf } from "../support/ledgers.ts";
import { type Peer, Refused, S16_MONO } from "../support/peer.ts";

// Many times what any of these takes: a busy machine is not a fault.
setDefaultTimeout(120_000);

/** Codes that were seen on the wire. */
const seen = new Set<ErrorCode>();

/** Belong to parts that are not built yet. */
const LATER: readonly ErrorCode[] = ["unauthorized", "origin_not_allowed"];

afterAll(() => {
  const missing = Object.keys(ERRORS).filter(
    (code) => !seen.has(code as ErrorCode) && !LATER.includes(code as ErrorCode),
  );
  if (missing.length > 0) throw new Error(`never provoked: ${missing.join(", ")}`);
});

function see(event: ErrorEvent): ErrorEvent {
  const code = event.code as ErrorCode;
  seen.add(code);
  expect({ code, fatal: event.fatal, retryable: event.retryable }).toEqual({
    code,
    fatal: ERRORS[code].fatal,
    retryable: ERRORS[code].retryable,
  });
  expect(event.message.length).toBeGreaterThan(0);
  return event;
}

const SIMPLE = { path: "/api/v1/simple" };

describe("errors that end nothing", () => {
  const cases: [code: ErrorCode, param: string | undefined, say: (peer: Peer) => void][] = [
    ["invalid_json", undefined, (peer) => peer.say("{")],
    ["invalid_request", undefined, (peer) => peer.say("[]")],
    ["invalid_request", "request", (peer) => peer.say({})],
    ["invalid_request", "format", (peer) => peer.say({ request: "start" })],
    ["invalid_request", "vad.threshold_db", (peer) => peer.start({ vad: { threshold_db: 41 } })],
    ["invalid_request", "vad.min_silence", (peer) => peer.start({ vad: { min_silence: 1 } })],
    ["invalid_request", "interim_interval_ms", (peer) => peer.start({ interim_interval_ms: 99 })],
    ["invalid_request", "trace_id", (peer) => peer.start({ trace_id: "0".repeat(32) })],
    ["invalid_request", "options", (peer) => peer.start({ options: { long: "x".repeat(4_096) } })],
    ["invalid_request", "vad.max_utterance_ms", (peer) => peer.start({ vad: { max_utterance_ms: 120_001 } })],
    ["unknown_request", "request", (peer) => peer.say({ request: "stopp" })],
    ["unsupported_format", "format.sample_rate", (peer) => peer.start({ format: { ...S16_MONO, sample_rate: 3_999 } })],
    ["unsupported_format", "format.bit_depth", (peer) => peer.start({ format: { ...S16_MONO, bit_depth: 12 } })],
    ["unsupported_format", "format.bit_depth", (peer) => peer.start({ format: { ...S16_MONO, is_float: true } })],
    ["unsupported_format", "format.channels", (peer) => peer.start({ format: { ...S16_MONO, channels: 17 } })],
    ["unknown_model", "model", (peer) => peer.start({ model: "whisper" })],
    ["no_stream", undefined, (peer) => peer.stop()],
    ["no_stream", undefined, (peer) => peer.say({ request: "flush" })],
    ["audio_before_start", undefined, (peer) => void peer.audio(Buffer.alloc(2))],
  ];

  test("each names its field, and the next stream on the same connection works", async () => {
    await using running = await Running.start();
    for (const [code, param, say] of cases) {
      using peer = await running.connect();
      say(peer);
      const error = see(await peer.next("error"));
      expect({ code: error.code, param: error.param }).toEqual({ code, param });
      peer.start();
      await peer.audio(encode("s16", noise(0.5)));
      peer.stop({ disconnect: true });
      expect(await peer.close()).toEqual({ code: 1000, reason: "stop" });
      expect(peer.all("error")).toHaveLength(1);
      expect(problemsOf(streamsOf(peer.events)[0]!, { bytes: 16_000, frameBytes: 2 })).toEqual([]);
    }
  });

  test("vad in a start for /simple is refused", async () => {
    await using running = await Running.start();
    using peer = await running.connect(SIMPLE);
    peer.start({ vad: {} });
    peer.start({ vad: { threshold_db: 10 } });
    const error = see(await peer.next("error"));
    expect([error.code, error.param]).toEqual(["invalid_request", "vad"]);
  });

  test("unknown fields are refused with the nearest known name", async () => {
    await using running = await Running.start();
    using peer = await running.connect();
    peer.start({ interim_result: true });
    expect(see(await peer.next("error"))).toMatchObject({
      param: "interim_result",
      message: expect.stringContaining("interim_results"),
    });
  });
});

describe("errors of a span", () => {
  /** What happens to 5 blocks when the model is set so; the stream itself ends well. */
  async function spans(keys: Keys): Promise<ErrorEvent[]> {
    await using running = await Running.start(keys);
    using peer = await running.connect(SIMPLE);
    const bytes = encode("s16", noise(2.5));
    peer.start();
    await peer.audio(bytes);
    peer.stop();
    expect((await peer.next("stopped")).reason).toBe("stop");
    expect(problemsOf(streamsOf(peer.events)[0]!, { bytes: bytes.length, frameBytes: 2 })).toEqual([]);
    return peer.all("error").map(see);
  }

  test("a model that throws gives inference_failed with the model's message", async () => {
    const errors = await spans({ "model.failure_rate": 1 });
    expect(errors.map(({ code, start_time }) => [code, start_time])).toEqual(
      [0, 0.5, 1, 1.5, 2].map((start) => ["inference_failed", start]),
    );
    expect(errors[0]?.message).toBe("simulated failure");
  });

  test("a worker that dies gives worker_crashed with a general message", async () => {
    const errors = await spans({ "model.panic_rate": 1 });
    expect(errors.map(({ code }) => code)).toEqual(Array.from({ length: 5 }, () => "worker_crashed"));
    expect(errors[0]?.message).not.toMatch(/exit|panic|simulated/);
  });

  test("a call that hangs gives inference_timeout, and its worker is replaced", async () => {
    const errors = await spans({
      "model.workers": 2,
      "model.delay": 60,
      "model.warmup_penalty": 0,
      "model.inference_timeout_ms": 100,
    });
    expect(errors.map(({ code }) => code)).toEqual(Array.from({ length: 5 }, () => "inference_timeout"));
  });
});

test("format_mismatch ends the stream and not the connection", async () => {
  await using running = await Running.start();
  using peer = await running.connect(SIMPLE);
  const file = wav({ ...S16_MONO, sample_rate: 44_100 }, encode("s16", noise(1)));
  peer.start();
  await peer.audio(file);
  const error = see(await peer.next("error"));
  expect([error.code, error.fatal]).toEqual(["format_mismatch", false]);
  expect(error.message).toContain("44100");
  expect((await peer.next("stopped")).reason).toBe("error");
  await peer.audio(file);
  expect(see(await peer.next("error")).code).toBe("audio_before_start");
  peer.start({ format: { ...S16_MONO, sample_rate: 44_100 } });
  await peer.audio(file);
  peer.stop();
  const stopped = await peer.next("stopped");
  expect(stopped).toMatchObject({ reason: "stop", skipped_bytes: 44, channels: [{ received: 16_000 }] });
});

describe("a fatal end is error, stopped, close", () => {
  /** Provokes an end and checks its order. The stream, when there is one, has some audio open. */
  async function end(
    keys: Keys,
    code: ErrorCode,
    close: number,
    provoke: (peer: Peer, running: Running) => Promise<void>,
    options: { stream?: boolean; reason?: string; clock?: () => number } = {},
  ): Promise<void> {
    await using running = await Running.start(keys, options.clock === undefined ? {} : { clock: options.clock });
    const peer = await running.connect();
    if (options.stream !== false) {
      peer.start({ vad: { max_utterance_ms: 120_000 } });
      await peer.audio(encode("s16", concat(noise(0.8), voice(0.6))));
      await peer.next("active");
    }
    await provoke(peer, running);
    expect(await peer.close()).toEqual({ code: close, reason: code });
    const errors = peer.all("error");
    for (const error of errors) expect(see(error).code).toBe(code);
    expect(errors.length).toBeGreaterThan(0);
    if (options.stream !== false) {
      expect(peer.events.at(-1)).toMatchObject({ type: "stopped", reason: options.reason ?? "limit" });
      expect(problemsOf(streamsOf(peer.events)[0]!)).toEqual([]);
      expect(streamsOf(peer.events)[0]?.stopped.channels[0]?.failed).toBeGreaterThan(0);
    }
    await running.settled();
  }

  test("start_timeout: 1008", async () => {
    await end({ "limits.start_timeout_ms": 50 }, "start_timeout", 1008, async () => {}, { stream: false });
  });

  test("idle_timeout: 1008", async () => {
    let now = 0;
    await end({}, "idle_timeout", 1008, async () => void (now = 60_001), { clock: () => now });
  });

  test("session_limit: 1008, though the client is busy", async () => {
    let now = 0;
    const provoke = async (peer: Peer): Promise<void> => {
      now = 4 * 3_600_000;
      peer.say({ request: "keep_alive" });
    };
    await end({}, "session_limit", 1008, provoke, { clock: () => now });
  });

  test("message_too_big: 1009, text and binary", async () => {
    await end({}, "message_too_big", 1009, (peer) => peer.audio(Buffer.alloc(1_048_577)));
    await end({}, "message_too_big", 1009, async (peer) => peer.say(`"${"x".repeat(65_535)}"`));
    await end({}, "message_too_big", 1009, (peer) => peer.audio(Buffer.alloc(1_048_577)), { stream: false });
  });

  test("overloaded: 1013, with the bounds of the open span", async () => {
    const keys = { "limits.arena_mb": 1 };
    await end(keys, "overloaded", 1013, (peer) => peer.cut(encode("s16", voice(18)), () => 32_000), {
      reason: "error",
    });
  });
});

describe("an upgrade is refused before it", () => {
  async function refused(running: Running, headers: Record<string, string | undefined> = {}): Promise<number> {
    const error: unknown = await running.connect({ headers }).catch((refusal: unknown) => refusal);
    if (!(error instanceof Refused)) throw new Error("the upgrade was accepted");
    const event = see(JSON.parse(error.body) as ErrorEvent);
    expect(error.status).toBe((ERRORS[event.code as ErrorCode] as { status: number }).status);
    expect(error.headers.get("retry-after") !== null).toBe(event.retryable === true);
    return error.status;
  }

  test("with the status and the error object of the table", async () => {
    const loading = await Running.start({ "model.delay": 0.3 }, { load: false });
    expect(await refused(loading)).toBe(503);
    await loading[Symbol.asyncDispose]();
    await using running = await Running.start({ "limits.max_sessions_per_address": 1 });
    expect(await refused(running, { Upgrade: undefined })).toBe(426);
    expect(await refused(running, { "Sec-WebSocket-Protocol": "chat" })).toBe(400);
    await running.connect();
    expect(await refused(running)).toBe(429);
    await using full = await Running.start({ "limits.max_sessions": 1 });
    await full.connect();
    expect(await refused(full)).toBe(503);
  });

  test("also while the server drains; those inside are warned and closed with 1001", async () => {
    await using running = await Running.start({ "model.delay": 0.2, "limits.drain_timeout_ms": 200 });
    const peer = await running.connect(SIMPLE);
    peer.start();
    await peer.audio(encode("s16", noise(3)));
    await peer.next("segment");
    const drained = running.server.drain();
    expect(await refused(running)).toBe(503);
    await drained;
    expect((await peer.close()).code).toBe(1001);
    for (const error of peer.all("error")) expect(see(error).code).toBe("draining");
    expect(peer.all("warning").map(({ code }) => code)).toEqual(["draining"]);
  });
});

/**
 * Its cause is a fault of ours, and its conversation is tested with a peer that breaks: see
 * tests/session/session-limits.test.ts.
 */
test("internal has its close code", () => {
  expect(ERRORS.internal).toMatchObject({ close: 1011, fatal: true });
  seen.add("internal");
});

describe("a client that reads nothing", () => {
  test("is ended with slow_reader and 1008", async () => {
    await using running = await Running.start({
      "limits.slow_reader_ms": 500,
      "limits.outbox_bytes": 65_536,
      "simple.block_ms": 20,
    });
    const peer = await running.connect(SIMPLE);
    peer.start({ format: { ...S16_MONO, bit_depth: 8, sample_rate: 4_000, channels: 16 }, timing: true });
    await peer.next("started");
    peer.pause();
    // Held back while its results are not read; what is left is taken, and thrown away, once the session is over.
    await peer.cut(Buffer.alloc(16 * 4_000 * 600, 128), () => 64_000);
    peer.resume();
    const close = await peer.close();
    expect(close).toEqual({ code: 1008, reason: "slow_reader" });
    for (const error of peer.all("error")) see(error);
    expect(problemsOf(streamsOf(peer.events)[0]!)).toEqual([]);
  });
});
