import { expect, test } from "bun:test";

import { LedgerCheck } from "../../src/client/ledger.ts";
import type { ChannelLedger, ServerEvent, Stopped } from "../../src/protocol/events.ts";

const SENT = { bytes: 480_000 * 2, frameBytes: 2, channels: 1, sampleRate: 48_000, modelRate: 16_000 };

const LEDGER: ChannelLedger = {
  channel: 0,
  received: 480_000,
  received_rate: 48_000,
  decoded: 160_000,
  inferred: 100_000,
  silent: 40_000,
  failed: 20_000,
  segments: 2,
  interims: 3,
  errors: 1,
};

const EVENTS: ServerEvent[] = [
  { type: "segment", start_time: 0, end_time: 1, is_final: false, channel: 0 },
  { type: "segment", start_time: 0, end_time: 2, is_final: true, channel: 0 },
  { type: "error", code: "worker_crashed", message: "", fatal: false, channel: 0, start_time: 3, end_time: 4.25 },
  { type: "segment", start_time: 5, end_time: 9.25, channel: 0 },
];

function problems(
  ledger: Partial<ChannelLedger>,
  stopped: Partial<Stopped> = {},
  sent = SENT,
  events = EVENTS,
): string[] {
  const check = new LedgerCheck(sent.modelRate);
  for (const event of events) check.add(event);
  const channels = [{ ...LEDGER, ...ledger }];
  const whole: Stopped = { type: "stopped", reason: "stop", channels, trailing_bytes: 0, skipped_bytes: 0, ...stopped };
  return check.problems(whole, sent);
}

test("a correct ledger has no problems", () => {
  expect(problems({})).toEqual([]);
});

test("a number that is off by one is a problem", () => {
  for (const field of ["received", "decoded", "inferred", "silent", "failed", "segments", "errors"] as const) {
    for (const by of [-1, 1]) {
      expect(problems({ [field]: LEDGER[field] + by }).join("; "), `${field} ${by}`).toContain("channel 0: ");
    }
  }
});

test("interims may be fewer than the server ran, never more", () => {
  expect(problems({ interims: 4 })).toEqual([]);
  expect(problems({ interims: 0 })).toEqual(["channel 0: 0 interims; received: 1"]);
});

test("what failed has no errors of its own when slow_reader ended the stream", () => {
  const slow: ServerEvent = { type: "error", code: "slow_reader", message: "", fatal: true };
  expect(problems({ failed: 60_000, inferred: 60_000, errors: 3 }, {}, SENT, [slow])).toEqual([
    "channel 0: 2 segments; final results received: 0",
  ]);
});

test("a stream that the server ended may have received less than was sent, not more", () => {
  const sent = { ...SENT, bytes: SENT.bytes + 3201 };
  expect(problems({}, {}, sent)).toEqual(["channel 0: received 480000 frames; sent: 481600"]);
  expect(problems({}, { reason: "drain" }, sent)).toEqual([]);
  expect(problems({}, { reason: "drain" }, { ...SENT, bytes: 2 })).not.toEqual([]);
});

test("a skipped WAV header and an incomplete last frame do not count as audio", () => {
  expect(problems({}, { skipped_bytes: 44, trailing_bytes: 1 }, { ...SENT, bytes: SENT.bytes + 45 })).toEqual([]);
});

test("a missing channel and overlapping results are problems", () => {
  expect(problems({}, {}, { ...SENT, channels: 2 })).toEqual(["the ledger has 1 channels; sent: 2"]);
  const [interim, first, error, second] = EVENTS as [ServerEvent, ServerEvent, ServerEvent, ServerEvent];
  expect(problems({}, {}, SENT, [interim, second, error, first])).toEqual([
    "channel 0: 1 final results overlap the one before them",
  ]);
});
