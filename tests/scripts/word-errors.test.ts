import { expect, test } from "bun:test";

import { spokenWords, wordErrors } from "../../scripts/bench/support/word-errors.ts";

test("words are compared without capitals, punctuation and the way numbers are written", () => {
  expect(spokenWords("Mr. Dashwood's cold-hearted, 10 of clubs! Straße")).toEqual([
    ...["mister", "dashwood's", "cold", "hearted"],
    ...["ten", "of", "clubs", "straße"],
  ]);
  expect(spokenWords(" ...")).toEqual([]);
});

test("word errors are the fewest words that are wrong, missing or too many", () => {
  const errors = (reference: string, heard: string) => wordErrors(spokenWords(reference), spokenWords(heard));
  expect(errors("go forward ten meters", "Go forward, 10 meters.")).toBe(0);
  expect(errors("go forward ten meters", "go for ten")).toBe(2);
  expect(errors("go forward", "oh go well forward")).toBe(2);
  expect(errors("go forward", "")).toBe(2);
  expect(errors("", "go")).toBe(1);
  expect(errors("a b c d", "b c d a")).toBe(2);
});
