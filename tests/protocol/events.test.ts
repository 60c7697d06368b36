import { describe, expect, test } from "bun:test";

import { EventError, parseEvent } from "../../src/protocol/events.ts";

const LEDGER = {
  channel: 0,
  received: 480_000,
  received_rate: 48_000,
  decoded: 160_000,
  inferred: 120_000,
  silent: 40_000,
  failed: 0,
  segments: 7,
  interims: 0,
  errors: 0,
};
const SEGMENT = { type: "segment", start_time: 0.1, end_time: 1.7, is_final: true, channel: 0, count: 25_600 };
const STOPPED = { type: "stopped", reason: "stop", channels: [LEDGER], trailing_bytes: 1, skipped_bytes: 0 };

const parse = (event: unknown) => parseEvent(JSON.stringify(event));

describe("parseEvent", () => {
  test("an event keeps every field, known or not", () => {
    for (const event of [
      SEGMENT,
      STOPPED,
      { ...STOPPED, later: [1] },
      { type: "flushed", time: 0, channel: 1, x: {} },
    ]) {
      expect<unknown>(parse(event)).toEqual(event);
    }
  });

  test("a model's output stands beside the protocol's own fields", () => {
    expect<unknown>(parse({ ...SEGMENT, text: "hello", words: [{ w: "hello" }], score: null })).toMatchObject({
      text: "hello",
      words: [{ w: "hello" }],
      score: null,
    });
  });

  test("an event of a later version is returned as it is", () => {
    expect<unknown>(parse({ type: "translated", text: "bonjour" })).toEqual({ type: "translated", text: "bonjour" });
    expect<unknown>(parse({ type: "constructor" })).toEqual({ type: "constructor" });
  });

  test("times are doubles that keep every bit", () => {
    const time = 48_001 / 44_100;
    expect(parse({ type: "active", time, channel: 0 })).toEqual({ type: "active", time, channel: 0 });
  });

  test("the error names the field that is wrong", () => {
    expect(() => parse({ ...SEGMENT, start_time: "0" })).toThrow('segment.start_time: found "0"; allowed: seconds');
    expect(() => parse({ ...STOPPED, channels: [{ ...LEDGER, decoded: 0.5 }] })).toThrow("stopped.channels.0.decoded");
    expect(() => parse({ ...STOPPED, reason: "tired" })).toThrow("stopped.reason");
    expect(() => parse({ type: "error", code: "internal", message: "m" })).toThrow("error.fatal");
  });

  test("a message that is no event throws EventError", () => {
    for (const text of ["", "{", "null", "[]", "{}", '{"type":1}', '"started"']) {
      expect(() => parseEvent(text)).toThrow(EventError);
    }
  });
});
