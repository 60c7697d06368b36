import { expect, test } from "bun:test";

import { StreamReport } from "../../../src/commands/send/report.ts";
import type { ChannelLedger, ServerEvent } from "../../../src/protocol/events.ts";
import { FORMAT, startedEvent, stoppedEvent } from "../../support/wire.ts";

const LEDGER: ChannelLedger = {
  channel: 0,
  received: 48_000,
  received_rate: 16_000,
  decoded: 48_000,
  inferred: 32_000,
  silent: 16_000,
  failed: 0,
  segments: 2,
  interims: 0,
  errors: 0,
};

/** Returns the report of 3 s of audio, sent in real time in chunks of 100 ms from 1000 ms on. */
function report(): StreamReport {
  const report = new StreamReport(FORMAT, 1000, true);
  for (let i = 1; i <= 30; i++) report.sent(i * 3200, 1000 + i * 100);
  return report;
}

const at = (receivedMs: number, event: ServerEvent) => ({ event, text: "", receivedMs, audio: undefined });
const inactive = (time: number): ServerEvent => ({ type: "inactive", time, channel: 0 });
const final = (start: number, end: number, is_final = true): ServerEvent => ({
  type: "segment",
  start_time: start,
  end_time: end,
  is_final,
  channel: 0,
});

test("the report has the first events, the latency and the real-time factor", () => {
  const seen = report();
  seen.received(at(1005, startedEvent({})));
  seen.received(at(1900, inactive(0.75)));
  expect(seen.received(at(1950, final(0, 0.8, false)))).toBeUndefined();
  expect(seen.received(at(2050, final(0, 0.85)))).toBe(250);
  const [timing, latency, total] = seen.lines(4100, "in real time");
  expect(timing).toBe("timing      first event after 5 ms, first result after 950 ms");
  expect(latency).toBe("latency     end of speech to final result p50 250 ms, p95 250 ms, max 250 ms (1 utterance)");
  expect(total).toBe("total       3.10 s for 3.00 s of audio in 1 channel, sent in real time: real-time factor 1.033");
});

test("a ledger that does not add up is a problem", () => {
  const seen = report();
  expect(seen.problems(true)).toEqual(["no stream was started"]);
  seen.received(at(1005, startedEvent({})));
  expect(seen.problems(true)[0]).toContain("results are missing");
  seen.received(at(2000, final(0, 1)));
  seen.received(at(2000, final(1, 2)));
  seen.received(at(5000, stoppedEvent([LEDGER])));
  expect(seen.problems(true)).toEqual([]);
  expect(seen.summary([])).toContain("2 final results, 0 errors; the ledger adds up");
  seen.received(at(5000, stoppedEvent([{ ...LEDGER, received: 47_999 }])));
  const problems = seen.problems(true);
  expect(problems[0]).toBe("channel 0: received 47999 frames; sent: 48000");
  expect(seen.summary(problems)).toContain("problem");
});

test("a stream that the server ended is a problem if audio was left to send, unless it shut down", () => {
  const seen = report();
  seen.received(at(1005, startedEvent({})));
  seen.received(at(2000, final(0, 1)));
  seen.received(at(2000, final(1, 2)));
  seen.received(at(5000, stoppedEvent([LEDGER], { reason: "limit" })));
  expect(seen.problems(false)).toEqual(["the server ended the stream early (limit)"]);
  expect(seen.problems(true)).toEqual([]);
  seen.received(at(5000, stoppedEvent([LEDGER], { reason: "drain" })));
  expect(seen.problems(false)).toEqual([]);
});

test("a server that shut down should have taken everything that was sent until then", () => {
  const seen = report();
  seen.received(at(1005, startedEvent({})));
  const took = { ...LEDGER, received: 46_400, decoded: 46_400, inferred: 0, silent: 46_400, segments: 0 };
  seen.received(at(5000, stoppedEvent([took], { reason: "drain" })));
  expect(seen.problems(false)).toEqual(["the server shut down and did not take the last 0.10 s that were sent"]);
});

test("the report of a file that was sent as fast as possible shows no latency", () => {
  const seen = new StreamReport(FORMAT, 1000, false);
  seen.sent(96_000, 1010);
  seen.received(at(1005, startedEvent({})));
  seen.received(at(1900, inactive(0.75)));
  expect(seen.received(at(15_000, final(0, 0.85)))).toBeUndefined();
  expect(seen.lines(15_000, "as fast as possible")[1]).toBe(
    "latency     not measured: the audio was sent faster than it is spoken; see --real-time",
  );
});
