import { describe, expect, test } from "bun:test";

import { type ErrorCode, errorEvent, type ErrorRow, ERRORS, ProtocolError } from "../../src/protocol/errors.ts";
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

  test("an event of a later version is handed on", () => {
    expect<unknown>(parse({ type: "translated", text: "bonjour" })).toEqual({ type: "translated", text: "bonjour" });
    expect<unknown>(parse({ type: "constructor" })).toEqual({ type: "constructor" });
  });

  test("times survive as the doubles they are", () => {
    const time = 48_001 / 44_100;
    expect(parse({ type: "active", time, channel: 0 })).toEqual({ type: "active", time, channel: 0 });
  });

  test("a known field that is wrong is named", () => {
    expect(() => parse({ ...SEGMENT, start_time: "0" })).toThrow('segment.start_time: found "0"; allowed: seconds');
    expect(() => parse({ ...STOPPED, channels: [{ ...LEDGER, decoded: 0.5 }] })).toThrow("stopped.channels.0.decoded");
    expect(() => parse({ ...STOPPED, reason: "tired" })).toThrow("stopped.reason");
    expect(() => parse({ type: "error", code: "internal", message: "m" })).toThrow("error.fatal");
  });

  test("what is not an event at all is an EventError", () => {
    for (const text of ["", "{", "null", "[]", "{}", '{"type":1}', '"started"']) {
      expect(() => parseEvent(text)).toThrow(EventError);
    }
  });
});

describe("errorEvent", () => {
  test("the place is told where there is one, fatal and retryable always", () => {
    expect(errorEvent(new ProtocolError("no_stream", "no stream is open"))).toEqual({
      type: "error",
      code: "no_stream",
      message: "no stream is open",
      fatal: false,
      retryable: false,
    });
    const place = { channel: 1, start_time: 0, end_time: 2.5 };
    expect(errorEvent(new ProtocolError("worker_crashed", "the worker died", place))).toMatchObject({
      ...place,
      fatal: false,
      retryable: true,
    });
    expect(errorEvent(new ProtocolError("invalid_request", "m", { param: "format" })).param).toBe("format");
  });

  test("every code makes an event that clients accept, and is as fatal as the table says", () => {
    for (const code of Object.keys(ERRORS) as ErrorCode[]) {
      const event = errorEvent(new ProtocolError(code, "because"));
      expect<unknown>(parse(event)).toEqual(event);
      expect(event.fatal).toBe(ERRORS[code].fatal);
    }
  });
});

describe("the table of errors", () => {
  const rows = Object.entries(ERRORS) as [ErrorCode, ErrorRow][];

  test("close codes are those of the protocol", () => {
    const closes = rows.flatMap(([code, { close }]) => (close === undefined ? [] : [[code, close]]));
    expect(Object.fromEntries(closes)).toEqual({
      start_timeout: 1008,
      idle_timeout: 1008,
      session_limit: 1008,
      slow_reader: 1008,
      message_too_big: 1009,
      internal: 1011,
      overloaded: 1013,
      draining: 1001,
    });
  });

  test("statuses of a refused upgrade are those of the protocol", () => {
    const statuses = rows.flatMap(([code, { status }]) => (status === undefined ? [] : [[code, status]]));
    expect(Object.fromEntries(statuses)).toEqual({
      invalid_request: 400,
      unauthorized: 401,
      origin_not_allowed: 403,
      upgrade_required: 426,
      too_many_sessions: 429,
      internal: 500,
      overloaded: 503,
      not_ready: 503,
      draining: 503,
    });
  });

  test("an error is fatal exactly when it closes the socket or prevents it", () => {
    for (const [code, { fatal, close, status }] of rows) {
      if (code !== "invalid_request") expect({ code, fatal }).toEqual({ code, fatal: (close ?? status) !== undefined });
    }
  });

  test("only a header that contradicts the format ends a stream without ending the connection", () => {
    expect(rows.filter(([, row]) => row.endsStream === true).map(([code]) => code)).toEqual(["format_mismatch"]);
    expect(ERRORS.format_mismatch.fatal).toBe(false);
  });
});
