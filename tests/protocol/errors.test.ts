import { expect, test } from "bun:test";

import { type ErrorCode, type ErrorRow, ERRORS } from "../../src/protocol/errors.ts";

const rows = Object.entries(ERRORS) as [ErrorCode, ErrorRow][];

test("close codes are those of the protocol", () => {
  const closes = rows.flatMap(([code, { close }]) => (close === undefined ? [] : [[code, close]]));
  expect(Object.fromEntries(closes)).toEqual({
    start_timeout: 1008,
    idle_timeout: 1008,
    session_limit: 1008,
    slow_reader: 1008,
    unauthorized: 1008,
    resumed: 1008,
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
    host_not_allowed: 403,
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

test("every retryable error, and no other, has a time after which to try again", () => {
  const times = rows.flatMap(([code, { retryAfterMs }]) => (retryAfterMs === undefined ? [] : [[code, retryAfterMs]]));
  expect(times.map(([code]) => code)).toEqual(rows.filter(([, row]) => row.retryable).map(([code]) => code));
  for (const [, ms] of times) expect(ms).toBeWithin(0, 60_000);
});
