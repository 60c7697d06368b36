import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { type ErrorCode, ERRORS } from "../../src/protocol/errors.ts";
import type { ErrorEvent } from "../../src/protocol/events.ts";
import { concat, encode, noise, voice, wav } from "../support/audio.ts";
import { InProcessServer, LOOPBACK_IS_LIMITED, type Settings } from "../support/in-process-server.ts";
import { expectExactLedger } from "../support/ledgers.ts";
import { modelPath } from "../support/pool-harness.ts";
import { S16_MONO } from "../support/requests.ts";
import { UpgradeRefused, type WebSocketClient } from "../support/websocket-client.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

/** Codes that a client of these tests has received. */
const received = new Set<ErrorCode>();

const folders: string[] = [];

afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true });
  const missing = Object.keys(ERRORS).filter((code) => !received.has(code as ErrorCode));
  if (missing.length > 0) throw new Error(`no test causes ${missing.join(", ")}`);
});

/** Expects an error to be as the table of errors describes its code, and returns it. */
function checked(event: ErrorEvent): ErrorEvent {
  const code = event.code as ErrorCode;
  received.add(code);
  expect({ code, fatal: event.fatal, retryable: event.retryable }).toEqual({
    code,
    fatal: ERRORS[code].fatal,
    retryable: ERRORS[code].retryable,
  });
  expect(event.message.length).toBeGreaterThan(0);
  return event;
}

/** Returns the path of a file with this text, which is removed after the tests. */
async function temporaryFile(name: string, text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "streamer-errors-"));
  folders.push(folder);
  await writeFile(join(folder, name), text, { mode: 0o600 });
  return join(folder, name);
}

const SIMPLE = { path: "/api/v1/simple" };

describe("an error that ends neither stream nor connection", () => {
  const cases: [code: ErrorCode, param: string | undefined, cause: (client: WebSocketClient) => void][] = [
    ["invalid_json", undefined, (client) => client.sendText("{")],
    ["invalid_request", undefined, (client) => client.sendText("[]")],
    ["invalid_request", "request", (client) => client.sendText({})],
    ["invalid_request", "format", (client) => client.sendText({ request: "start" })],
    ["invalid_request", "vad.threshold_db", (client) => client.start({ vad: { threshold_db: 41 } })],
    ["invalid_request", "vad.min_silence", (client) => client.start({ vad: { min_silence: 1 } })],
    ["invalid_request", "interim_interval_ms", (client) => client.start({ interim_interval_ms: 99 })],
    ["invalid_request", "trace_id", (client) => client.start({ trace_id: "0".repeat(32) })],
    ["invalid_request", "options", (client) => client.start({ options: { long: "x".repeat(4_096) } })],
    ["invalid_request", "vad.max_utterance_ms", (client) => client.start({ vad: { max_utterance_ms: 120_001 } })],
    ["unknown_request", "request", (client) => client.sendText({ request: "stopp" })],
    [
      "unsupported_format",
      "format.sample_rate",
      (client) => client.start({ format: { ...S16_MONO, sample_rate: 3_999 } }),
    ],
    ["unsupported_format", "format.bit_depth", (client) => client.start({ format: { ...S16_MONO, bit_depth: 12 } })],
    ["unsupported_format", "format.bit_depth", (client) => client.start({ format: { ...S16_MONO, is_float: true } })],
    ["unsupported_format", "format.channels", (client) => client.start({ format: { ...S16_MONO, channels: 17 } })],
    ["unknown_model", "model", (client) => client.start({ model: "whisper" })],
    ["no_stream", undefined, (client) => client.stop()],
    ["no_stream", undefined, (client) => client.flush()],
    ["audio_before_start", undefined, (client) => void client.sendAudio(Buffer.alloc(2))],
  ];

  test("names its field, and the next stream on the same connection works", async () => {
    await using server = await InProcessServer.start();
    for (const [code, param, cause] of cases) {
      using client = await server.connect();
      cause(client);
      const error = checked(await client.nextEvent("error"));
      expect({ code: error.code, param: error.param }).toEqual({ code, param });
      client.start();
      await client.sendAudio(encode("s16", noise(0.5)));
      client.stop({ disconnect: true });
      expect(await client.waitForClose()).toEqual({ code: 1000, reason: "stop" });
      expect(client.eventsOf("error")).toHaveLength(1);
      expectExactLedger(client.events, { bytes: 16_000, frameBytes: 2 });
    }
  });

  test("is too_many_requests for many new sample rates in a short time; rates used before are accepted", async () => {
    await using server = await InProcessServer.start();
    using client = await server.connect();
    for (const sample_rate of [16_000, 8_001, 8_002, 8_003, 8_004]) {
      client.start({ format: { ...S16_MONO, sample_rate } });
    }
    const error = checked(await client.nextEvent("error"));
    expect([error.code, error.param]).toEqual(["too_many_requests", "format.sample_rate"]);
    client.start();
    client.stop({ disconnect: true });
    expect(await client.waitForClose()).toEqual({ code: 1000, reason: "stop" });
  });

  test("is invalid_request for vad settings in a start for /simple; an empty vad is accepted", async () => {
    await using server = await InProcessServer.start();
    using client = await server.connect(SIMPLE);
    client.start({ vad: {} });
    client.start({ vad: { threshold_db: 10 } });
    const error = checked(await client.nextEvent("error"));
    expect([error.code, error.param]).toEqual(["invalid_request", "vad"]);
  });

  test("about an unknown field has the nearest known name", async () => {
    await using server = await InProcessServer.start();
    using client = await server.connect();
    client.start({ interim_result: true });
    expect(checked(await client.nextEvent("error"))).toMatchObject({
      param: "interim_result",
      message: expect.stringContaining("interim_results"),
    });
  });
});

describe("an error in place of a result", () => {
  /** Sends 5 blocks to a model with these settings and returns the errors. The stream ends with an exact ledger. */
  async function errorsOf(settings: Settings): Promise<ErrorEvent[]> {
    await using server = await InProcessServer.start(settings);
    using client = await server.connect(SIMPLE);
    const bytes = encode("s16", noise(2.5));
    client.start();
    await client.sendAudio(bytes);
    client.stop();
    expect((await client.nextEvent("stopped")).reason).toBe("stop");
    expectExactLedger(client.events, { bytes: bytes.length, frameBytes: 2 });
    return client.eventsOf("error").map(checked);
  }

  test("is inference_failed with the model's message when the model throws", async () => {
    const errors = await errorsOf({ "model.failure_rate": 1 });
    expect(errors.map(({ code, start_time }) => [code, start_time])).toEqual(
      [0, 0.5, 1, 1.5, 2].map((start) => ["inference_failed", start]),
    );
    expect(errors[0]?.message).toBe("simulated failure");
  });

  test("is worker_crashed with a general message when the worker dies", async () => {
    const errors = await errorsOf({ "model.panic_rate": 1 });
    expect(errors.map(({ code }) => code)).toEqual(Array.from({ length: 5 }, () => "worker_crashed"));
    expect(errors[0]?.message).not.toMatch(/exit|panic|simulated/);
  });

  test("is inference_timeout when a call hangs, and the worker is replaced", async () => {
    const errors = await errorsOf({
      "model.workers": 2,
      "model.delay": 60,
      "model.warmup_penalty": 0,
      "model.inference_timeout_ms": 100,
    });
    expect(errors.map(({ code }) => code)).toEqual(Array.from({ length: 5 }, () => "inference_timeout"));
  });
});

test("model_unavailable takes the place of results and refuses starts while no worker can be started", async () => {
  await using server = await InProcessServer.start({ "model.name": modelPath("broken"), "model.how": "second time" });
  using client = await server.connect(SIMPLE);
  const format = { channels: 1, sample_rate: 16_000, bit_depth: 32, is_float: true };
  const samples = new Float32Array(2 * 8_000);
  // The first block ends the worker, whose replacement cannot be loaded.
  samples[0] = 2;
  client.start({ format });
  await client.sendAudio(new Uint8Array(samples.buffer));
  client.stop();
  expect((await client.nextEvent("stopped")).reason).toBe("stop");
  const errors = client.eventsOf("error").map(checked);
  expect(errors.map(({ code, start_time }) => [code, start_time])).toEqual([
    ["worker_crashed", 0],
    ["model_unavailable", 0.5],
  ]);
  expectExactLedger(client.events, { bytes: samples.byteLength, frameBytes: 4 });
  client.start({ format });
  const refusal = checked(await client.nextEvent("error"));
  expect([refusal.code, refusal.param]).toEqual(["model_unavailable", "model"]);
  expect(refusal.message).toBe('model "broken": no worker can be started; the log has the cause');
});

test("format_mismatch ends the stream, not the connection", async () => {
  await using server = await InProcessServer.start();
  using client = await server.connect(SIMPLE);
  const file = wav({ ...S16_MONO, sample_rate: 44_100 }, encode("s16", noise(1)));
  client.start();
  await client.sendAudio(file);
  const error = checked(await client.nextEvent("error"));
  expect([error.code, error.fatal]).toEqual(["format_mismatch", false]);
  expect(error.message).toContain("44100");
  expect((await client.nextEvent("stopped")).reason).toBe("error");
  await client.sendAudio(file);
  expect(checked(await client.nextEvent("error")).code).toBe("audio_before_start");
  client.start({ format: { ...S16_MONO, sample_rate: 44_100 } });
  await client.sendAudio(file);
  client.stop();
  const stopped = await client.nextEvent("stopped");
  expect(stopped).toMatchObject({ reason: "stop", skipped_bytes: 44, channels: [{ received: 16_000 }] });
});

describe("a fatal error is sent before stopped and the close", () => {
  /**
   * Causes a fatal error, in an utterance unless `stream` is false, and checks the events up to the close. `reason` is
   * that of `stopped`; default: limit. `answered`: the results of the audio come first.
   */
  async function expectFatal(
    settings: Settings,
    code: ErrorCode,
    closeCode: number,
    cause: (client: WebSocketClient, server: InProcessServer) => Promise<void>,
    options: { stream?: boolean; reason?: string; answered?: boolean; clock?: () => number } = {},
  ): Promise<void> {
    await using server = await InProcessServer.start(
      settings,
      options.clock === undefined ? {} : { clock: options.clock },
    );
    const client = await server.connect();
    if (options.stream !== false) {
      client.start({ vad: { max_utterance_ms: 120_000 } });
      await client.sendAudio(encode("s16", concat(noise(0.8), voice(0.6))));
      await client.nextEvent("active");
    }
    await cause(client, server);
    expect(await client.waitForClose()).toEqual({ code: closeCode, reason: code });
    const errors = client.eventsOf("error");
    for (const error of errors) expect(checked(error).code).toBe(code);
    expect(errors.length).toBeGreaterThan(0);
    if (options.stream !== false) {
      expect(client.events.at(-1)).toMatchObject({ type: "stopped", reason: options.reason ?? "limit" });
      const { stopped } = expectExactLedger(client.events);
      if (options.answered === true) expect(stopped.channels[0]).toMatchObject({ failed: 0, segments: 1 });
      else expect(stopped.channels[0]?.failed).toBeGreaterThan(0);
    }
    await server.waitUntilIdle();
  }

  test("start_timeout: close code 1008", async () => {
    await expectFatal({ "limits.start_timeout_ms": 50 }, "start_timeout", 1008, async () => {}, { stream: false });
  });

  test("idle_timeout: close code 1008, after the results of what was received", async () => {
    let now = 0;
    const options = { clock: () => now, answered: true };
    await expectFatal({}, "idle_timeout", 1008, async () => void (now = 60_001), options);
  });

  test("session_limit: close code 1008, also for a client that is active", async () => {
    let now = 0;
    const cause = async (client: WebSocketClient): Promise<void> => {
      now = 4 * 3_600_000;
      client.sendText({ request: "keep_alive" });
    };
    await expectFatal({}, "session_limit", 1008, cause, { clock: () => now, answered: true });
  });

  test("message_too_big: close code 1009, for text and binary messages", async () => {
    await expectFatal({}, "message_too_big", 1009, (client) => client.sendAudio(Buffer.alloc(1_048_577)));
    await expectFatal({}, "message_too_big", 1009, async (client) => client.sendText(`"${"x".repeat(65_535)}"`));
    await expectFatal({}, "message_too_big", 1009, (client) => client.sendAudio(Buffer.alloc(1_048_577)), {
      stream: false,
    });
  });

  test("overloaded: close code 1013, with the bounds of the open utterance", async () => {
    const settings = { "limits.arena_mb": 1 };
    await expectFatal(
      settings,
      "overloaded",
      1013,
      (client) => client.sendInChunks(encode("s16", voice(18)), () => 32_000),
      {
        reason: "error",
      },
    );
  });
});

test("resumed: close code 1008 for the connection of a stream that goes on at another one", async () => {
  const keys = await temporaryFile("keys", `first ${"0123456789abcdef".repeat(4)}\n`);
  const settings = { "limits.resume_ms": 60_000, "auth.secret_file": keys };
  await using server = await InProcessServer.start(settings);
  const client = await server.connect(SIMPLE);
  client.start();
  await client.sendAudio(encode("s16", noise(2)));
  const { token } = await client.nextEvent("checkpoint");
  const next = await server.connect(SIMPLE);
  next.start({ resume: { token } });
  await next.nextEvent("started");
  expect(await client.waitForClose()).toEqual({ code: 1008, reason: "resumed" });
  const errors = client.eventsOf("error").map((error) => checked(error).code);
  expect(new Set(errors)).toEqual(new Set(["resumed"]));
});

describe("an upgrade is refused", () => {
  /** Expects an upgrade to be refused with an error of the table, and returns the status. */
  async function refusedStatus(
    server: InProcessServer,
    headers: Record<string, string | undefined> = {},
  ): Promise<number> {
    const error: unknown = await server.connect({ headers }).catch((refusal: unknown) => refusal);
    if (!(error instanceof UpgradeRefused)) throw new Error("the upgrade was accepted");
    const event = checked(JSON.parse(error.body) as ErrorEvent);
    expect(error.status).toBe((ERRORS[event.code as ErrorCode] as { status: number }).status);
    const header = event.retry_after_ms === undefined ? null : String(Math.ceil(event.retry_after_ms / 1000));
    expect(error.headers.get("retry-after")).toBe(header);
    expect(header !== null).toBe(event.retryable === true);
    return error.status;
  }

  test("with the status and the error of the table", async () => {
    const loading = await InProcessServer.start({ "model.delay": 0.3 }, { load: false });
    expect(await refusedStatus(loading)).toBe(503);
    await loading[Symbol.asyncDispose]();
    await using server = await InProcessServer.start({ ...LOOPBACK_IS_LIMITED, "limits.max_sessions_per_address": 1 });
    expect(await refusedStatus(server, { Upgrade: undefined })).toBe(426);
    expect(await refusedStatus(server, { "Sec-WebSocket-Protocol": "chat" })).toBe(400);
    expect(await refusedStatus(server, { Host: "evil.example" })).toBe(403);
    expect(await refusedStatus(server, { Origin: "https://evil.example" })).toBe(403);
    await server.connect();
    expect(await refusedStatus(server)).toBe(429);
    await using closed = await InProcessServer.start({ "auth.tokens": await temporaryFile("tokens", "# none\n") });
    expect(await refusedStatus(closed)).toBe(401);
    await using full = await InProcessServer.start({ "limits.max_sessions": 1 });
    await full.connect();
    expect(await refusedStatus(full)).toBe(503);
  });

  test("while the server drains; connected clients get a warning and close code 1001", async () => {
    await using server = await InProcessServer.start({
      "model.delay": 0.2,
      "limits.drain": "now",
      "limits.finish_ms": 200,
    });
    const client = await server.connect(SIMPLE);
    client.start();
    await client.sendAudio(encode("s16", noise(3)));
    await client.nextEvent("segment");
    const drained = server.drain();
    expect(await refusedStatus(server)).toBe(503);
    await drained;
    expect((await client.waitForClose()).code).toBe(1001);
    for (const error of client.eventsOf("error")) expect(checked(error).code).toBe("draining");
    expect(client.eventsOf("warning").map(({ code }) => code)).toEqual(["draining"]);
  });
});

// A correct server has no internal errors; tests/session/session-limits.test.ts causes some with a broken connection.
test("internal is fatal, with close code 1011", () => {
  expect(ERRORS.internal).toMatchObject({ close: 1011, fatal: true });
  received.add("internal");
});

describe("a client that does not read", () => {
  test("gets slow_reader and close code 1008", async () => {
    await using server = await InProcessServer.start({
      "limits.slow_reader_ms": 500,
      "limits.outbox_bytes": 65_536,
      "simple.block_ms": 20,
    });
    const client = await server.connect(SIMPLE);
    client.start({ format: { ...S16_MONO, bit_depth: 8, sample_rate: 4_000, channels: 16 }, timing: true });
    await client.nextEvent("started");
    client.pause();
    // The server stops reading until it ends the session; then it reads and discards the rest.
    await client.sendInChunks(Buffer.alloc(16 * 4_000 * 600, 128), () => 64_000);
    client.resume();
    expect(await client.waitForClose()).toEqual({ code: 1008, reason: "slow_reader" });
    for (const error of client.eventsOf("error")) checked(error);
    expectExactLedger(client.events);
  });
});
