import { describe, expect, test } from "bun:test";

import type { ReceivedEvent } from "../../../src/client/event-reader.ts";
import { type Account, Recording } from "../../../src/console/stream/record.ts";
import { MAX_RESULT_BYTES, MAX_RESULTS } from "../../../src/console/stream/result-store.ts";
import type { Result } from "../../../src/console/stream/result.ts";
import { SentTimes } from "../../../src/console/stream/sent-times.ts";
import type { ServerEvent, Stopped } from "../../../src/protocol/events.ts";

const STARTED = {
  type: "started",
  session_id: "s",
  stream: 0,
  trace_id: "t",
  format: { channels: 1, sample_rate: 16_000, bit_depth: 16, is_float: false, encoding: "pcm" },
  model: "simulated",
  sample_rate: 16_000,
  limits: { max_message_bytes: 1, max_channels: 1, idle_timeout_ms: 1, session_ms: 0 },
} as const satisfies ServerEvent;

function segment(start: number, end: number, more: Record<string, unknown> = {}): ServerEvent {
  return { type: "segment", channel: 0, start_time: start, end_time: end, ...more } as ServerEvent;
}

function stopped(decoded: number, inferred: number, segments: number, interims = 0): Stopped {
  const ledger = {
    channel: 0,
    received: decoded,
    received_rate: 16_000,
    decoded,
    inferred,
    silent: decoded - inferred,
  };
  const channels = [{ ...ledger, failed: 0, segments, interims, errors: 0 }];
  return { type: "stopped", reason: "stop", channels, trailing_bytes: 0, skipped_bytes: 0 };
}

/** A recording of one channel, and everything that it has reported. */
function record({ sent = 0 } = {}) {
  const times = new SentTimes(true);
  const results: Result[] = [];
  const removed: number[] = [];
  const notices: string[] = [];
  const accounts: Account[] = [];
  const recording = new Recording(times, {
    result: (result) => results.push(result),
    removed: (id) => removed.push(id),
    notice: ({ message }) => notices.push(message),
    account: (account) => accounts.push(account),
  });
  const ask = (start: number, bytes: number): void => {
    recording.asked({ start, bytes: () => bytes, channels: 1, sampleRate: 16_000 });
  };
  ask(0, sent);
  const add = (event: ServerEvent, receivedMs = 0, audio?: Float32Array<ArrayBuffer>): void => {
    recording.add({ event, text: "", receivedMs, audio } satisfies ReceivedEvent);
  };
  add(STARTED);
  return { recording, times, results, removed, notices, accounts, ask, add };
}

describe("a recording", () => {
  test("has interims that the next result of their channel replaces, in the same place", () => {
    const { recording, results, add } = record();
    add(segment(0, 1, { is_final: false, text: "turn" }));
    add(segment(0, 1.5, { is_final: false, text: "turn le" }));
    add(segment(0, 2, { is_final: true, text: "turn left" }));
    add(segment(3, 4, { is_final: true, text: "now" }));
    expect(results.map(({ id }) => id)).toEqual([0, 0, 0, 1]);
    expect(recording.results.map(({ text, isFinal }) => [text, isFinal])).toEqual([
      ["turn left", true],
      ["now", true],
    ]);
  });

  test("drops an interim that no final has followed when the stream ends", () => {
    const { recording, removed, add } = record();
    add(segment(0, 1, { is_final: false, text: "turn" }));
    add(stopped(0, 0, 0, 1));
    expect([recording.results, removed]).toEqual([[], [0]]);
    add(segment(0, 1, { is_final: false, text: "now" }));
    recording.dropInterims();
    expect([recording.isEmpty, removed]).toEqual([true, [0, 1]]);
  });

  test("has fields apart from the text, and all of them where there is none", () => {
    const { recording, add } = record();
    add(segment(0, 1, { text: "a", confidence: 0.5 }));
    add(segment(1, 2, { rms_dbfs: -20, text: 7 }));
    expect(recording.results.map(({ text, fields }) => [text, fields])).toEqual([
      ["a", { confidence: 0.5 }],
      [undefined, { rms_dbfs: -20, text: 7 }],
    ]);
  });

  test("has spans without a result as results with an error, and tells other errors", () => {
    const { recording, notices, add } = record();
    const error = { type: "error", code: "inference_failed", fatal: false, channel: 0 } as const;
    add({ ...error, message: "it failed", start_time: 1, end_time: 2 });
    add({ ...error, message: "without a place" });
    expect(recording.results).toMatchObject([{ start: 1, end: 2, error: "it failed", isFinal: true }]);
    expect(notices).toEqual(["without a place"]);
  });

  test("measures latency from when the last sample of speech was sent", () => {
    const { recording, times, add } = record();
    for (let i = 1; i <= 30; i++) times.add(i / 10, 1_000 + i * 100);
    add({ type: "active", time: 0.5, channel: 0 });
    add({ type: "inactive", time: 2, channel: 0 });
    add(segment(0.3, 2.1, { text: "a", timing: { queue_ms: 3, infer_ms: 40, lag_ms: 60 } }), 3_600);
    expect(recording.results[0]?.timing).toEqual({ latencyMs: 600, queueMs: 3, computeMs: 40 });
    expect(recording.speech(0)).toEqual([{ start: 0.5, end: 2 }]);
  });

  test("measures no latency of audio that is sent faster than it is spoken", () => {
    const times = new SentTimes(false);
    times.add(1, 1);
    expect(times.sentAt(0.5)).toBeUndefined();
  });

  test("moves the times of a stream that was started in the middle behind those before it", () => {
    const { recording, accounts, ask, add } = record({ sent: 32_000 });
    ask(1, 64_000);
    add(segment(0, 1, { text: "a" }));
    add({ ...stopped(16_000, 16_000, 1), reason: "restart" });
    add({ ...STARTED, stream: 1 });
    add(segment(0.5, 2, { text: "b" }));
    add(stopped(32_000, 24_000, 1));
    expect(recording.results.map(({ start, end }) => [start, end])).toEqual([
      [0, 1],
      [1.5, 3],
    ]);
    expect(accounts.map(({ problems }) => problems)).toEqual([[], []]);
  });

  test("says what is wrong with a ledger that does not add up", () => {
    const { accounts, add } = record({ sent: 32_000 });
    add(segment(0, 1, { text: "a" }));
    add(stopped(16_000, 16_000, 2));
    expect(accounts[0]?.problems).toEqual(["channel 0: 2 segments; final results received: 1"]);
  });

  test("forgets the oldest results at its limit", () => {
    const { recording, removed, add } = record();
    for (let i = 0; i <= MAX_RESULTS; i++) add(segment(i, i + 1, { text: "a" }));
    expect([recording.results.length, removed]).toEqual([MAX_RESULTS, [0]]);
  });

  test("forgets the oldest results when their sound takes too much memory", () => {
    const { recording, removed, add } = record();
    const third = new Float32Array(MAX_RESULT_BYTES / 4 / 3);
    for (let i = 0; i < 5; i++) add(segment(i, i + 1, { audio: { sample_rate: 16_000, samples: 1 } }), 0, third);
    expect([recording.results.map(({ id }) => id), removed]).toEqual([
      [2, 3, 4],
      [0, 1],
    ]);
    add(segment(5, 6, { audio: { sample_rate: 16_000, samples: 1 } }), 0, new Float32Array(MAX_RESULT_BYTES));
    expect(recording.results.map(({ id }) => id)).toEqual([5]);
  });

  test("has speech that ends with its stream, if the server has not ended it before", () => {
    const { recording, ask, add } = record({ sent: 32_000 });
    add({ type: "active", time: 0.5, channel: 0 });
    ask(1, 0);
    add({ ...stopped(16_000, 0, 0), reason: "restart" });
    add({ ...STARTED, stream: 1 });
    add({ type: "active", time: 0.25, channel: 0 });
    expect(recording.speech(0)).toEqual([
      { start: 0.5, end: 1 },
      { start: 1.25, end: undefined },
    ]);
  });

  test("has words whose times count from the begin of the recording", () => {
    const { recording, ask, add } = record({ sent: 32_000 });
    ask(1, 0);
    add({ ...stopped(16_000, 0, 0), reason: "restart" });
    add({ ...STARTED, stream: 1 });
    add(segment(0.5, 2, { text: "now", words: [{ word: "now", start: 0.75, end: 1.5, confidence: 0.5 }] }));
    add(segment(2, 3, { text: "then", words: ["of", "another", "form"] }));
    expect(recording.results.map(({ fields }) => fields["words"])).toEqual([
      [{ word: "now", start: 1.75, end: 2.5, confidence: 0.5 }],
      ["of", "another", "form"],
    ]);
  });
});
