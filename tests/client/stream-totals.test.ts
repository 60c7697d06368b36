import { expect, test } from "bun:test";

import { StreamTotals } from "../../src/client/stream-totals.ts";

test("bytes and resumptions belong to the stream in which they were, although its end comes after the next start", () => {
  const totals = new StreamTotals();
  totals.begin();
  totals.sent(10);
  totals.resumed();
  totals.begin();
  totals.sent(3);
  expect(totals.bytes).toBe(3);
  expect(totals.end()).toEqual({ bytes: 10, resumptions: 1 });
  expect(totals.end()).toEqual({ bytes: 3, resumptions: 0 });
  expect(totals.end()).toBeUndefined();
});
