import { expect, test } from "bun:test";

import { OwedResults } from "../../../src/commands/send/owed-results.ts";

const segment = (start: number, end: number, channel = 0) =>
  ({ type: "segment", start_time: start, end_time: end, channel }) as const;

test("a result of an utterance is owed from its end to its result, on each channel", () => {
  const owed = new OwedResults(2, true);
  expect(owed.owes(1_000)).toBe(false);
  owed.speechEnded({ type: "inactive", time: 2.5, channel: 1 });
  owed.answered(segment(0, 3, 0));
  expect(owed.owes(4)).toBe(true);
  owed.answered({ ...segment(1, 2.6, 1), type: "error", code: "inference_failed", message: "", fatal: false });
  expect(owed.owes(1_000)).toBe(false);
});

test("a result of a block is owed when more audio than a block was sent after the last one of any channel", () => {
  const owed = new OwedResults(2, false);
  expect([owed.owes(5), owed.owes(5.1)]).toEqual([false, true]);
  owed.answered(segment(0, 0.5, 0));
  owed.answered(segment(0, 0.5, 1));
  expect([owed.owes(1), owed.owes(1.1)]).toEqual([false, true]);
  owed.answered(segment(0.5, 1, 0));
  expect(owed.owes(1.1)).toBe(true);
});
