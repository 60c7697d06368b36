import { describe, expect, setDefaultTimeout, test } from "bun:test";

import { concat, encode, noise, voice } from "../support/audio.ts";
import { InProcessServer } from "../support/in-process-server.ts";
import { S16_MONO } from "../support/requests.ts";
import { ScrapedMetrics } from "../support/scraped-metrics.ts";
import { waitUntil } from "../support/wait.ts";
import { UpgradeRefused, type WebSocketClient } from "../support/websocket-client.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const MODEL = "simulated";

/** Two utterances of one second each. */
const twoUtterances = encode("s16", concat(noise(0.5), voice(1), noise(1), voice(1, { seed: 2 }), noise(0.3)));
const SECONDS = twoUtterances.length / 32_000;

/** A client whose stream has ended, and the messages that it has sent. */
interface FinishedClient {
  readonly client: WebSocketClient;
  readonly pattern: string;
  textBytes: number;
  textMessages: number;
  audioBytes: number;
  audioMessages: number;
}

/** Sends both utterances in chunks of so many bytes, and waits for the close. */
async function runStream(
  server: InProcessServer,
  pattern: string,
  channels: number,
  chunk: number,
): Promise<FinishedClient> {
  const client = await server.connect({ path: `/api/v1/${pattern}` });
  const sent = { client, pattern, textBytes: 0, textMessages: 0, audioBytes: 0, audioMessages: 0 };
  const send = (request: object): void => {
    const text = JSON.stringify(request);
    sent.textMessages += 1;
    sent.textBytes += Buffer.byteLength(text);
    client.sendText(text);
  };
  send({ request: "start", format: { ...S16_MONO, channels }, interim_results: pattern === "segmented" });
  await client.nextEvent("started");
  for (let at = 0; at < twoUtterances.length; at += chunk) {
    const bytes = twoUtterances.subarray(at, at + chunk);
    sent.audioMessages += 1;
    sent.audioBytes += bytes.length;
    await client.sendAudio(bytes);
  }
  send({ request: "stop", disconnect: true });
  await client.nextEvent("stopped");
  await client.waitForClose();
  return sent;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

describe("the metrics after a load", () => {
  test("equal the numbers that the clients have counted, and gauges are 0", async () => {
    await using server = await InProcessServer.start({ "model.workers": 2, "model.delay": 0.01 });
    const clients = await Promise.all(
      ["simple", "segmented", "stateful"].flatMap((pattern) =>
        [1, 1, 2, 2].map((channels, i) => runStream(server, pattern, channels, [3_200, 1_001, 640, 50_000][i] ?? 1)),
      ),
    );
    await server.waitUntilIdle();
    const { value } = await ScrapedMetrics.from(server.url);

    expect(value("streamer_received_messages_total", { kind: "audio" })).toBe(
      sum(clients.map(({ audioMessages }) => audioMessages)),
    );
    expect(value("streamer_received_bytes_total", { kind: "audio" })).toBe(
      sum(clients.map(({ audioBytes }) => audioBytes)),
    );
    expect(value("streamer_received_messages_total", { kind: "text" })).toBe(
      sum(clients.map(({ textMessages }) => textMessages)),
    );
    expect(value("streamer_received_bytes_total", { kind: "text" })).toBe(
      sum(clients.map(({ textBytes }) => textBytes)),
    );
    const events = clients.flatMap(({ client }) => client.events);
    expect(value("streamer_sent_messages_total", { kind: "text" })).toBe(events.length);
    expect(value("streamer_sent_bytes_total", { kind: "text" })).toBe(
      sum(events.map((event) => Buffer.byteLength(JSON.stringify(event)))),
    );
    for (const type of ["started", "active", "inactive", "segment", "stopped", "error", "warning"]) {
      expect([type, value("streamer_events_sent_total", { type })]).toEqual([
        type,
        events.filter((event) => event.type === type).length,
      ]);
    }

    for (const pattern of ["simple", "segmented", "stateful"]) {
      const labels = { pattern, model: MODEL };
      const ofPattern = clients.filter((each) => each.pattern === pattern);
      const ledgers = ofPattern.flatMap(({ client }) =>
        client.eventsOf("stopped").flatMap((stopped) => stopped.channels),
      );
      const counted = (key: "inferred" | "silent" | "failed") => sum(ledgers.map((ledger) => ledger[key])) / 16_000;
      expect(value("streamer_streams_started_total", labels)).toBe(4);
      expect(value("streamer_streams_stopped_total", { ...labels, reason: "stop" })).toBe(4);
      expect(value("streamer_channels_started_total", labels)).toBe(6);
      // Two channels share the same bytes: half the frames, as many samples.
      expect(value("streamer_audio_received_seconds_total", labels)).toBeCloseTo(4 * SECONDS);
      expect(value("streamer_audio_inferred_seconds_total", labels)).toBeCloseTo(counted("inferred"));
      expect(value("streamer_audio_silent_seconds_total", labels)).toBeCloseTo(counted("silent"));
      expect(value("streamer_audio_failed_seconds_total", labels)).toBe(0);
      const finals = sum(ledgers.map(({ segments }) => segments));
      expect(value("streamer_result_latency_seconds_count", labels)).toBe(finals);
      expect(value("streamer_result_lag_seconds_count", labels)).toBe(finals);
      expect(value("streamer_sessions_opened_total", { pattern, dialect: "streamer" })).toBe(4);
    }
    expect(value("streamer_sessions_closed_total", { reason: "stop" })).toBe(12);
    expect(value("streamer_sessions_closed_total")).toBe(12);

    const interims = events.filter((event) => event.type === "segment" && event.is_final === false).length;
    expect(value("streamer_interims_total", { fate: "sent" })).toBe(interims);
    const finals = value("streamer_result_latency_seconds_count");
    expect(value("streamer_inference_queue_seconds_count", { kind: "final" })).toBe(finals);
    expect(value("streamer_inference_compute_seconds_count", { kind: "final" })).toBe(finals);
    expect(value("streamer_inference_compute_seconds_sum", { kind: "final" })).toBeGreaterThan(0.009 * finals);
    const segmented = events.filter((event) => event.type === "segment" && event.is_final === true).length;
    // The last utterance of each channel may have ended with the stream instead of by silence.
    expect(value("streamer_speech_end_to_final_seconds_count")).toBeWithin(segmented / 2, segmented + 1);
    expect(value("streamer_stage_media_seconds_total", { stage: "inference" })).toBeGreaterThan(0);
    expect(value("streamer_worker_starts_total")).toBe(2);
    expect(value("streamer_worker_restarts_total")).toBe(0);

    for (const name of [
      ...["sessions_active", "sessions_paused", "streams_active", "channels_active", "audio_unanswered_seconds"],
      ...["inference_waiting", "arena_used_bytes", "arena_waiting_streams", "inbox_bytes", "outbox_bytes"],
    ]) {
      expect([name, value(`streamer_${name}`)]).toEqual([name, 0]);
    }
    expect(value("streamer_workers", { state: "idle" })).toBe(2);
    expect(value("streamer_workers")).toBe(2);
  });

  test("have as many series after 21 sessions as after the first", async () => {
    await using server = await InProcessServer.start();
    const lines = async () => (await ScrapedMetrics.from(server.url)).text.split("\n").length;
    await runStream(server, "segmented", 1, 3_200);
    await server.waitUntilIdle();
    const before = await lines();
    for (let i = 0; i < 20; i++) await runStream(server, "segmented", 1, 32_000);
    await server.waitUntilIdle();
    expect(await lines()).toBe(before);
  });
});

describe("the metrics have", () => {
  test("open streams and the levels of full buffers", async () => {
    await using server = await InProcessServer.start({
      "model.delay": 1,
      "limits.inbox_bytes": 4_096,
      "limits.read_ahead_seconds": 1,
    });
    const client = await server.connect({ path: "/api/v1/simple" });
    client.start({ format: { ...S16_MONO, channels: 2 } });
    await client.nextEvent("started");
    const sending = client.sendInChunks(new Uint8Array(640_000), () => 16_000);
    sending.catch(() => {});
    const read = async () => (await ScrapedMetrics.from(server.url)).value;
    await waitUntil("the connection to be paused", async () => (await read())("streamer_sessions_paused") === 1);
    const value = await read();
    expect(value("streamer_sessions_active")).toBe(1);
    expect(value("streamer_streams_active", { pattern: "simple" })).toBe(1);
    expect(value("streamer_channels_active", { pattern: "simple" })).toBe(2);
    expect(value("streamer_workers", { state: "busy" })).toBe(1);
    expect(value("streamer_inference_waiting", { kind: "final" })).toBeGreaterThan(0);
    expect(value("streamer_audio_unanswered_seconds")).toBeGreaterThan(1);
    expect(value("streamer_arena_used_bytes")).toBeGreaterThan(0);
    expect(value("streamer_inbox_bytes")).toBeGreaterThan(4_096);
    // It may have been paused before, while it waited for its turn.
    expect(value("streamer_pauses_total")).toBeGreaterThan(0);
    await waitUntil("the pause to be counted", async () => (await read())("streamer_paused_seconds_total") > 0);
    client.reset();
    await server.waitUntilIdle();
    const after = await read();
    expect(after("streamer_sessions_closed_total", { reason: "vanished" })).toBe(1);
    expect(after("streamer_streams_stopped_total", { reason: "vanished" })).toBe(1);
    expect(after("streamer_audio_failed_seconds_total")).toBeGreaterThan(1);
    expect(after("streamer_sessions_paused") + after("streamer_audio_unanswered_seconds")).toBe(0);
  });

  test("refusals, errors and warnings by code", async () => {
    await using server = await InProcessServer.start({ "limits.max_sessions": 1, "model.failure_rate": 1 });
    const client = await server.connect({ path: "/api/v1/simple" });
    expect(await server.connect().catch((error: unknown) => error instanceof UpgradeRefused)).toBe(true);
    client.sendText("no JSON");
    client.stop();
    client.start({ model: "unknown" });
    client.start();
    await client.nextEvent("started");
    await client.sendAudio(encode("s16", voice(1, { level: 4 })));
    client.stop();
    await client.nextEvent("stopped");
    const { value } = await ScrapedMetrics.from(server.url);
    expect(value("streamer_sessions_refused_total", { reason: "overloaded" })).toBe(1);
    expect(value("streamer_streams_refused_total", { reason: "unknown_model" })).toBe(1);
    for (const event of client.eventsOf("error")) {
      const ofCode = client.eventsOf("error").filter(({ code }) => code === event.code);
      expect(value("streamer_errors_total", { code: event.code })).toBe(ofCode.length);
    }
    expect(value("streamer_errors_total")).toBe(client.eventsOf("error").length);
    expect(value("streamer_warnings_total")).toBe(client.eventsOf("warning").length);
    expect(value("streamer_inference_failures_total", { code: "inference_failed" })).toBe(2);
    expect(value("streamer_audio_failed_seconds_total")).toBeCloseTo(1);
  });

  test("the deaths of workers by cause", async () => {
    await using server = await InProcessServer.start({ "model.panic_rate": 1 });
    const read = async () => (await ScrapedMetrics.from(server.url)).value;
    const client = await server.connect({ path: "/api/v1/simple" });
    await client.sendStream(new Uint8Array(16_000));
    expect((await read())("streamer_worker_deaths_total", { cause: "exit" })).toBe(1);
    expect((await read())("streamer_inference_failures_total", { code: "worker_crashed" })).toBe(1);
    await waitUntil(
      "a new worker to be ready",
      async () => (await read())("streamer_workers", { state: "idle" }) === 1,
    );
    expect((await read())("streamer_worker_restarts_total")).toBe(1);

    await using slow = await InProcessServer.start({ "model.delay": 0.5, "model.inference_timeout_ms": 50 });
    const other = await slow.connect({ path: "/api/v1/simple" });
    await other.sendStream(new Uint8Array(16_000));
    const { value } = await ScrapedMetrics.from(slow.url);
    expect(value("streamer_worker_deaths_total", { cause: "timeout" })).toBe(1);
    expect(value("streamer_inference_failures_total", { code: "inference_timeout" })).toBe(1);
  });

  test("times when the event loop was blocked, and so has the log", async () => {
    await using server = await InProcessServer.start();
    const ofOther = () => server.logged("event_loop_blocked").filter(({ stage }) => stage === "other");
    // Another warning may have come just before, and there is at most one in ten seconds.
    await waitUntil("the blocked event loop to be logged", async () => {
      const before = process.threadCpuUsage();
      while (process.threadCpuUsage(before).user < 100_000);
      await Bun.sleep(200);
      return ofOther().length > 0;
    });
    const metrics = await ScrapedMetrics.from(server.url);
    expect(metrics.value("streamer_event_loop_blocked_total", { stage: "other" })).toBeGreaterThan(0);
    const [record] = ofOther();
    expect(record).toMatchObject({ level: "warning", stage: "other", ms: expect.any(Number) });
  });
});
