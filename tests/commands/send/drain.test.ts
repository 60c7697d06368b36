import { expect, test } from "bun:test";

import { Drain } from "../../../src/commands/send/drain.ts";
import { ManualClock } from "../../support/manual-clock.ts";

function draining(receivedMs: number, deadline_ms?: number) {
  const event = { type: "warning", code: "draining", message: "", ...(deadline_ms !== undefined && { deadline_ms }) };
  return { event: event as never, text: "", receivedMs, audio: undefined };
}

/** Returns the time at which sending ends, counted from the warning, which is handled 100 ms late. */
function endOfSending(deadlineMs: number): number {
  const clock = new ManualClock();
  using drain = new Drain(clock);
  clock.advance(100);
  drain.received(draining(0, deadlineMs));
  while (!drain.signal.aborted && clock.now() < 100_000) clock.advance(10);
  return clock.now();
}

test("sending ends a second before the deadline of a server that shuts down, or after half of a short time", () => {
  expect(endOfSending(30_000)).toBe(29_000);
  expect(endOfSending(1_000)).toBe(500);
});

test("a server that names no time is left to end the stream, and other warnings end nothing", () => {
  const clock = new ManualClock();
  using drain = new Drain(clock);
  drain.received(draining(0, 0));
  drain.received(draining(0));
  drain.received({ ...draining(0, 5), event: { type: "warning", code: "clipping", message: "" } });
  clock.advance(100_000);
  expect([drain.signal.aborted, clock.pending]).toEqual([false, 0]);
});

test("only the first warning counts, and nothing is pending after the stream", () => {
  const clock = new ManualClock();
  {
    using drain = new Drain(clock);
    drain.received(draining(0, 10_000));
    drain.received(draining(0, 20_000));
    expect(clock.pending).toBe(1);
  }
  expect(clock.pending).toBe(0);
});
