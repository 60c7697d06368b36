import { expect, test } from "bun:test";

import { errorEvent } from "../../src/protocol/error-event.ts";
import { type ErrorCode, ERRORS, ProtocolError } from "../../src/protocol/errors.ts";
import { parseEvent } from "../../src/protocol/events.ts";

test("an event has fatal and retryable of its code, and the place when there is one", () => {
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

test("every code makes an event that clients accept, and is as fatal as the table states", () => {
  for (const code of Object.keys(ERRORS) as ErrorCode[]) {
    const event = errorEvent(new ProtocolError(code, "because"));
    expect<unknown>(parseEvent(JSON.stringify(event))).toEqual(event);
    expect(event.fatal).toBe(ERRORS[code].fatal);
  }
});

test("a retryable error carries retry_after_ms, of its code or of its own; another error has none", () => {
  const times = (code: ErrorCode, retry_after_ms?: number) => {
    const place = retry_after_ms === undefined ? {} : { retry_after_ms };
    return errorEvent(new ProtocolError(code, "because", place)).retry_after_ms;
  };
  expect(times("model_unavailable")).toBe(5_000);
  expect(times("model_unavailable", 70)).toBe(70);
  expect(times("session_limit")).toBe(0);
  expect("retry_after_ms" in errorEvent(new ProtocolError("no_stream", "because"))).toBe(false);
});
