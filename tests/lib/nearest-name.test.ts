import { expect, test } from "bun:test";

import fc from "fast-check";

import { editDistance, nearestName } from "../../src/lib/nearest-name.ts";

const KNOWN = ["start", "stop", "flush", "keep_alive", "interim_results"];

test("the nearest known name is found despite common misspellings", () => {
  expect(nearestName("strat", KNOWN)).toBe("start");
  expect(nearestName("interim_result", KNOWN)).toBe("interim_results");
  expect(nearestName("interimResults", KNOWN)).toBe("interim_results");
  expect(nearestName("Keep-Alive", KNOWN)).toBe("keep_alive");
  expect(nearestName("flsh", KNOWN)).toBe("flush");
});

test("nothing is suggested when nothing is near", () => {
  expect(nearestName("transcribe", KNOWN)).toBeUndefined();
  expect(nearestName("", KNOWN)).toBeUndefined();
  expect(nearestName("x", [])).toBeUndefined();
});

test("a very long name is looked up in bounded time", () => {
  expect(nearestName("s".repeat(10_000_000), KNOWN)).toBeUndefined();
});

test("the distance is symmetric, zero only for equals, and at most the longer length", () => {
  const word = fc.string({ maxLength: 12 });
  fc.assert(
    fc.property(word, word, (a, b) => {
      const distance = editDistance(a, b);
      expect(distance).toBe(editDistance(b, a));
      expect(distance === 0).toBe(a === b);
      expect(distance).toBeLessThanOrEqual(Math.max(a.length, b.length));
    }),
  );
});

test("a swap of neighbours costs 1", () => {
  expect(editDistance("form", "from")).toBe(1);
});
