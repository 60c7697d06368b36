import { expect, test } from "bun:test";

import { Report } from "../../../src/commands/send/report.ts";
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

/** A report of 3 s of audio, of which each tenth of a second was sent when it had been spoken; the stream began at 1000 ms. */
function report(): Report {
  const report = new Report(FORMAT, 1000);
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

test("latency runs from the moment the sample at the end of speech was sent to the arrival of its final", () => {
  const seen = report();
  seen.received(at(1005, startedEvent({})));
  seen.received(at(1900, inactive(0.75)));
  expect(seen.received(at(1950, final(0, 0.8, false)))).toBeUndefined();
  // The chunk from 0.7 to 0.8 s was sent at 1800.
  expect(seen.received(at(2050, final(0, 0.85)))).toBe(250);
});

test("each final takes the end of speech that lies in it", () => {
  const seen = report();
  seen.received(at(1, inactive(0.5)));
  seen.received(at(1, inactive(1.5)));
  seen.received(at(1, inactive(2.5)));
  // The first was answered by an error; the next final was cut by its greatest length, before speech ended.
  seen.received(
    at(1, {
      type: "error",
      code: "worker_crashed",
      message: "",
      fatal: false,
      channel: 0,
      start_time: 0,
      end_time: 0.6,
    }),
  );
  expect(seen.received(at(3000, final(0.9, 1.2)))).toBeUndefined();
  expect(seen.received(at(3000, final(1.2, 1.6)))).toBe(3000 - 2600);
  expect(seen.received(at(4000, final(2, 2.6)))).toBe(4000 - 3600);
  const [timing, latency, total] = seen.lines(4100, "paced in real time");
  expect(timing).toContain("first result 2000 ms");
  expect(latency).toContain("p50 400 ms, p95 400 ms, max 400 ms (2 utterances)");
  expect(total).toContain("3.10 s for 3.00 s of audio in 1 channel: real-time factor 1.033");
});

test("a ledger that adds up is no problem, one that does not is", () => {
  const seen = report();
  expect(seen.problems(true)).toEqual(["no stream was started"]);
  seen.received(at(1005, startedEvent({})));
  expect(seen.problems(true)[0]).toContain("results are missing");
  seen.received(at(2000, final(0, 1)));
  seen.received(at(2000, final(1, 2)));
  seen.received(at(5000, stoppedEvent([LEDGER])));
  expect(seen.problems(true)).toEqual([]);
  expect(seen.totals([])).toContain("2 final results, 0 errors; the ledger adds up");
  seen.received(at(5000, stoppedEvent([{ ...LEDGER, received: 47_999 }])));
  const problems = seen.problems(true);
  expect(problems[0]).toBe("channel 0: received 47999 frames; sent: 48000");
  expect(seen.totals(problems)).toContain("problem");
});

test("a stream that the server ended before all was sent is a problem, one that it ended after is not", () => {
  const seen = report();
  seen.received(at(1005, startedEvent({})));
  seen.received(at(2000, final(0, 1)));
  seen.received(at(2000, final(1, 2)));
  seen.received(at(5000, stoppedEvent([LEDGER], { reason: "drain" })));
  expect(seen.problems(false)).toEqual(["the server ended the stream early (drain)"]);
  expect(seen.problems(true)).toEqual([]);
});
