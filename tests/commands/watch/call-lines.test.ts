import { expect, test } from "bun:test";

import { callLine } from "../../../src/commands/watch/call-lines.ts";

const PLACE = { call: "CA1", session_id: "s" };
const event = (fields: { type: string } & Record<string, unknown>) =>
  callLine({ type: "call_event", ...PLACE, event: fields });

test("a call has lines for its begin, its finals, its errors and its end", () => {
  const begin = { type: "call", ...PLACE, dialect: "twilio", parameters: { customer: "42" } } as const;
  expect(callLine({ ...begin, joined: false })).toBe("CA1  begins: twilio, customer=42");
  expect(callLine({ ...begin, joined: true })).toBe("CA1  is open: twilio, customer=42");
  const segment = { type: "segment", start_time: 0.98, end_time: 3.75, is_final: true, channel: 0 };
  expect(event({ ...segment, text: "turn left" })).toBe('CA1  0.980 s - 3.750 s  "turn left"');
  const error = { type: "error", code: "internal", message: "a fault", fatal: true, retryable: true };
  expect(event(error)).toBe("CA1  error internal: a fault");
  expect(callLine({ type: "call_ended", ...PLACE, reason: "stop" })).toBe("CA1  ends: stop");
});

test("interims, speech events and the answer to the connection have none", () => {
  const segment = { type: "segment", start_time: 0, end_time: 1, is_final: false, channel: 0, text: "turn" };
  expect([event(segment), event({ type: "active", time: 1, channel: 0 })]).toEqual([undefined, undefined]);
  expect(callLine({ type: "watching", call: null })).toBeUndefined();
});

test("what would control a terminal is escaped, wherever it stands", () => {
  const evil = "\u001b[2J\n";
  const parameters = { [evil]: evil };
  const call = callLine({ type: "call", call: evil, session_id: "s", dialect: evil, parameters, joined: false });
  const segment = { type: "segment", start_time: 0, end_time: 1, is_final: true, channel: 0, text: evil };
  const ended = callLine({ type: "call_ended", ...PLACE, reason: evil });
  for (const line of [call, event(segment), ended]) {
    expect([...(line ?? "")].every((character) => character >= " ")).toBeTrue();
  }
});
