import { expect, test } from "bun:test";

import fc from "fast-check";

import { LevelHistory } from "../../src/vad/level-history.ts";

function history(size: number, levels: readonly number[]): LevelHistory {
  const history = new LevelHistory(size);
  for (const level of levels) history.push(level);
  return history;
}

test("the quietest border is the one with the lowest levels on both sides", () => {
  expect(history(8, [-20, -20, -60, -20, -50, -50, -20, -20]).quietestBorder(1, 7)).toBe(3);
  expect(history(8, [-20, -20, -60, -20, -50, -50, -20, -20]).quietestBorder(4, 7)).toBe(5);
});

test("of equally quiet borders the latest is taken", () => {
  expect(history(5, [-30, -30, -30, -30, -30]).quietestBorder(2, 4)).toBe(2);
});

test("a history remembers as many windows as it has room for", () => {
  const level = fc.integer({ min: -90, max: 0 });
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 12 }), fc.array(level, { minLength: 12, maxLength: 40 }), (size, levels) => {
      const last = levels.slice(-size).toReversed();
      const sums = last.slice(1).map((older, i) => older + last[i]!);
      const border = history(size, levels).quietestBorder(1, size - 1);
      expect(sums[border - 1]).toBe(Math.min(...sums));
    }),
  );
});
