import { expect, test } from "bun:test";

import { LatencyMeter } from "../../../src/commands/send/latency-meter.ts";
import type { ErrorEvent, Inactive, Segment } from "../../../src/protocol/events.ts";

/** Returns a meter of 3 s of audio, sent in real time in chunks of 100 ms from 1000 ms on. */
function meter(): LatencyMeter {
  const meter = new LatencyMeter(16_000, true);
  for (let i = 1; i <= 30; i++) meter.sent(i * 1600, 1000 + i * 100);
  return meter;
}

const inactive = (time: number): Inactive => ({ type: "inactive", time, channel: 0 });

function final(start: number, end: number): Segment {
  return { type: "segment", start_time: start, end_time: end, is_final: true, channel: 0 };
}

function failure(start: number, end: number): ErrorEvent {
  const span = { channel: 0, start_time: start, end_time: end };
  return { type: "error", code: "worker_crashed", message: "", fatal: false, ...span };
}

test("latency is measured from sending the sample at the end of speech", () => {
  const latency = meter();
  latency.speechEnded(inactive(0.75));
  // The chunk from 0.7 s to 0.8 s was sent at 1800 ms.
  expect(latency.finalReceived(final(0, 0.85), 2050)).toBe(250);
});

test("a final result belongs to the end of speech within it", () => {
  const latency = meter();
  for (const time of [0.5, 1.5, 2.5]) latency.speechEnded(inactive(time));
  latency.failed(failure(0, 0.6));
  // Split at the longest utterance, before speech ended.
  expect(latency.finalReceived(final(0.9, 1.2), 3000)).toBeUndefined();
  expect(latency.finalReceived(final(1.2, 1.6), 3000)).toBe(3000 - 2600);
  expect(latency.finalReceived(final(2, 2.6), 4000)).toBe(4000 - 3600);
  expect(latency.summary()).toEqual({ count: 2, p50: 400, p95: 400, max: 400 });
});

test("without a latency there is no summary", () => {
  const latency = meter();
  expect(latency.finalReceived(final(0, 0.5), 2000)).toBeUndefined();
  expect(latency.summary()).toBeUndefined();
});

test("audio that was sent before it can have been spoken has no latency", () => {
  const latency = new LatencyMeter(16_000, true);
  // A second of audio every 100 ms.
  for (let i = 1; i <= 5; i++) latency.sent(i * 16_000, 1000 + i * 100);
  expect(latency.isLive).toBe(false);
  latency.speechEnded(inactive(0.75));
  expect(latency.finalReceived(final(0, 0.85), 2050)).toBeUndefined();
  expect(latency.summary()).toBeUndefined();
});

test("a live source may deliver its audio in pieces of any length, and late", () => {
  const latency = new LatencyMeter(16_000, true);
  for (let i = 1; i <= 5; i++) latency.sent(i * 80_000, i * 5_000 + (i % 2) * 400);
  expect(latency.isLive).toBe(true);
});

test("a file that is sent as fast as possible has no latency, however short it is", () => {
  const latency = new LatencyMeter(16_000, false);
  latency.sent(1600, 1000);
  latency.speechEnded(inactive(0.05));
  expect(latency.finalReceived(final(0, 0.1), 2050)).toBeUndefined();
});
