import { expect, test } from "bun:test";

import fc from "fast-check";

import { describeValue, excerpt } from "../../src/lib/excerpt.ts";

test("ordinary text of any script stays as it is", () => {
  for (const text of ["hello", "grüße", "音声", "“quoted”", "🎤"]) expect(excerpt(text)).toBe(text);
});

test("characters that a terminal acts on are escaped", () => {
  expect(excerpt("a\u001b[2Jb\n\u009b\u202e\u2028\ufeff\u{e0001}")).toBe(
    "a\\u{1b}[2Jb\\u{a}\\u{9b}\\u{202e}\\u{2028}\\u{feff}\\u{e0001}",
  );
});

test("long text is cut and the cut is marked", () => {
  expect(excerpt("abcdef", 3)).toBe("abc…");
  expect(excerpt("abc", 3)).toBe("abc");
  expect(excerpt("ab🎤", 3)).toBe("ab\ufffd…");
});

test("the excerpt of any text is well-formed, printable and bounded", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 200 }), fc.integer({ min: 0, max: 50 }), (text, limit) => {
      const cut = excerpt(text, limit);
      expect(cut.isWellFormed()).toBe(true);
      expect(cut).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
      expect(cut.length).toBeLessThanOrEqual(10 * limit + 1);
    }),
  );
});

test("scalars are described as JSON, other values by their kind", () => {
  expect(["x", 1.5, -1, true, null, undefined, [1], {}].map(describeValue)).toEqual([
    '"x"',
    "1.5",
    "-1",
    "true",
    "null",
    "nothing",
    "an array",
    "an object",
  ]);
});
