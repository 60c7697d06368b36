import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";

import { concat, encode, noise, voice } from "../support/audio.ts";
import { type Keys, Running } from "../support/in-process.ts";
import { type Peer, Refused, S16_MONO } from "../support/peer.ts";
import { ScrapedMetrics } from "../support/scraped-metrics.ts";
import { waitUntil } from "../support/wait.ts";

// Many times what any of these tests takes: a busy machine must not fail them.
setDefaultTimeout(120_000);

const MODEL = "simulated";

let running: Running | undefined;

afterEach(async () => {
  await running?.[Symbol.asyncDispose]();
  running = undefined;
});

async function start(keys: Keys = {}): Promise<Running> {
  return (running = await Running.start(keys));
}

/** Two utterances of one second each. */
const speech = encode("s16", concat(noise(0.5), voice(1), noise(1), voice(1, { seed: 2 }), noise(0.3)));
const SECONDS = speech.length / 32_000;

/** A finished conversation and what its client has sent. */
interface Conversation {
  readonly peer: Peer;
  readonly pattern: string;
  readonly channels: number;
  textBytes: number;
  texts: number;
  audioBytes: number;
  audios: number;
}

async function runStream(server: Running, pattern: string, channels: number, chunk: number): Promise<Conversation> {
  const peer = await server.connect({ path: `/api/v1/${pattern}` });
  const conversation: Conversation = { peer, pattern, channels, textBytes: 0, texts: 0, audioBytes: 0, audios: 0 };
  const send = (request: object): void => {
    const text = JSON.stringify(request);
    conversation.texts += 1;
    conversation.textBytes += Buffer.byteLength(text);
    peer.say(text);
  };
  send({ request: "start", format: { ...S16_MONO, channels }, interim_results: pattern === "segmented" });
  await peer.next("started");
  for (let at = 0; at < speech.length; at += chunk) {
    const bytes = speech.subarray(at, at + chunk);
    conversation.audios += 1;
    conversation.audioBytes += bytes.length;
    await peer.audio(bytes);
  }
  send({ request: "stop", disconnect: true });
  await peer.next("stopped");
  await peer.close();
  return conversation;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((all, number) => all + number, 0);

describe("after a load, the metrics", () => {
  test("equal what the clients have counted, and gauges are back at 0", async () => {
    const server = await start({ "model.workers": 2, "model.delay": 0.01 });
    const conversations = await Promise.all(
      ["simple", "segmented", "stateful"].flatMap((pattern) =>
        [1, 1, 2, 2].map((channels, i) => runStream(server, pattern, channels, [3_200, 1_001, 640, 50_000][i] ?? 1)),
      ),
    );
    await server.settled();
    const { value } = await ScrapedMetrics.from(server.url);

    expect(value("streamer_received_messages_total", { kind: "audio" })).toBe(
      sum(conversations.map(({ audios }) => audios)),
    );
    expect(value("streamer_received_bytes_total", { kind: "audio" })).toBe(
      sum(conversations.map((each) => each.audioBytes)),
    );
    expect(value("streamer_received_messages_total", { kind: "text" })).toBe(
      sum(conversations.map(({ texts }) => texts)),
    );
    expect(value("streamer_received_bytes_total", { kind: "text" })).toBe(
      sum(conversations.map((each) => each.textBytes)),
    );
    const events = conversations.flatMap(({ peer }) => peer.events);
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
      const ofPattern = conversations.filter((each) => each.pattern === pattern);
      const ledgers = ofPattern.flatMap(({ peer }) => peer.all("stopped").flatMap((stopped) => stopped.channels));
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
      expect(value("streamer_sessions_opened_total", { pattern })).toBe(4);
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

  test("have the same number of series after many sessions as after few", async () => {
    const server = await start();
    const lines = async () => (await ScrapedMetrics.from(server.url)).text.split("\n").length;
    await runStream(server, "segmented", 1, 3_200);
    await server.settled();
    const before = await lines();
    for (let i = 0; i < 20; i++) await runStream(server, "segmented", 1, 32_000);
    await server.settled();
    expect(await lines()).toBe(before);
  });
});

describe("the metrics show", () => {
  test("open streams and full buffers while they last", async () => {
    const server = await start({ "model.delay": 1, "limits.inbox_bytes": 4_096, "limits.read_ahead_seconds": 1 });
    const peer = await server.connect({ path: "/api/v1/simple" });
    peer.start({ format: { ...S16_MONO, channels: 2 } });
    await peer.next("started");
    const sending = peer.cut(new Uint8Array(640_000), () => 16_000);
    sending.catch(() => {});
    const read = async () => (await ScrapedMetrics.from(server.url)).value;
    await waitUntil("the connection is paused", async () => (await read())("streamer_sessions_paused") === 1);
    const value = await read();
    expect(value("streamer_sessions_active")).toBe(1);
    expect(value("streamer_streams_active", { pattern: "simple" })).toBe(1);
    expect(value("streamer_channels_active", { pattern: "simple" })).toBe(2);
    expect(value("streamer_workers", { state: "busy" })).toBe(1);
    expect(value("streamer_inference_waiting", { kind: "final" })).toBeGreaterThan(0);
    expect(value("streamer_audio_unanswered_seconds")).toBeGreaterThan(1);
    expect(value("streamer_arena_used_bytes")).toBeGreaterThan(0);
    expect(value("streamer_inbox_bytes")).toBeGreaterThan(4_096);
    expect(value("streamer_pauses_total")).toBe(1);
    await waitUntil("the pause is counted", async () => (await read())("streamer_paused_seconds_total") > 0);
    peer.reset();
    await server.settled();
    const after = await read();
    expect(after("streamer_sessions_closed_total", { reason: "vanished" })).toBe(1);
    expect(after("streamer_streams_stopped_total", { reason: "vanished" })).toBe(1);
    expect(after("streamer_audio_failed_seconds_total")).toBeGreaterThan(1);
    expect(after("streamer_sessions_paused") + after("streamer_audio_unanswered_seconds")).toBe(0);
  });

  test("refusals, errors and warnings by code", async () => {
    const server = await start({ "limits.max_sessions": 1, "model.failure_rate": 1 });
    const peer = await server.connect({ path: "/api/v1/simple" });
    expect(await server.connect().catch((error: unknown) => error instanceof Refused)).toBe(true);
    peer.say("this is no JSON");
    peer.say({ request: "stop" });
    peer.start({ model: "nobody" });
    peer.start();
    await peer.next("started");
    await peer.audio(encode("s16", voice(1, { level: 4 })));
    peer.stop();
    await peer.next("stopped");
    const { value } = await ScrapedMetrics.from(server.url);
    expect(value("streamer_sessions_refused_total", { reason: "overloaded" })).toBe(1);
    expect(value("streamer_streams_refused_total", { reason: "unknown_model" })).toBe(1);
    for (const event of peer.all("error")) {
      const ofCode = peer.all("error").filter(({ code }) => code === event.code);
      expect(value("streamer_errors_total", { code: event.code })).toBe(ofCode.length);
    }
    expect(value("streamer_errors_total")).toBe(peer.all("error").length);
    expect(value("streamer_warnings_total")).toBe(peer.all("warning").length);
    expect(value("streamer_inference_failures_total", { code: "inference_failed" })).toBe(2);
    expect(value("streamer_audio_failed_seconds_total")).toBeCloseTo(1);
  });

  test("the deaths of workers by cause", async () => {
    const server = await start({ "model.panic_rate": 1 });
    const read = async () => (await ScrapedMetrics.from(server.url)).value;
    const peer = await server.connect({ path: "/api/v1/simple" });
    peer.start();
    await peer.audio(new Uint8Array(16_000));
    peer.stop();
    await peer.next("stopped");
    expect((await read())("streamer_worker_deaths_total", { cause: "exit" })).toBe(1);
    expect((await read())("streamer_inference_failures_total", { code: "worker_crashed" })).toBe(1);
    await waitUntil("another worker", async () => (await read())("streamer_workers", { state: "idle" }) === 1);
    expect((await read())("streamer_worker_restarts_total")).toBe(1);

    await running?.[Symbol.asyncDispose]();
    const slow = await start({ "model.delay": 0.5, "model.inference_timeout_ms": 50 });
    const other = await slow.connect({ path: "/api/v1/simple" });
    other.start();
    await other.audio(new Uint8Array(16_000));
    other.stop();
    await other.next("stopped");
    const { value } = await ScrapedMetrics.from(slow.url);
    expect(value("streamer_worker_deaths_total", { cause: "timeout" })).toBe(1);
    expect(value("streamer_inference_failures_total", { code: "inference_timeout" })).toBe(1);
  });

  test("that the event loop was blocked, as does the log", async () => {
    const server = await start();
    const ofOther = () => server.logged("event_loop_blocked").filter(({ stage }) => stage === "other");
    // A busy machine may have caused another warning just before, and there is at most one a second.
    await waitUntil("the blockage is logged", async () => {
      const end = performance.now() + 200;
      while (performance.now() < end);
      await Bun.sleep(200);
      return ofOther().length > 0;
    });
    const metrics = await ScrapedMetrics.from(server.url);
    expect(metrics.value("streamer_event_loop_blocked_total", { stage: "other" })).toBeGreaterThan(0);
    const [record] = ofOther();
    expect(record).toMatchObject({ level: "warning", stage: "other", ms: expect.any(Number) });
  });
});
