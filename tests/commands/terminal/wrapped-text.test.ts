import { expect, test } from "bun:test";

import { wrapText } from "../../../src/commands/terminal/wrapped-text.ts";

test("text is broken at spaces, and every line is indented", () => {
  expect(wrapText("one two three four five", 24, 2)).toBe("  one two three four\n  five");
});

test("a word that is longer than a line is not broken", () => {
  const long = "x".repeat(40);
  expect(wrapText(`one ${long} two`, 30)).toBe(`one\n${long}\ntwo`);
});

test("wide characters count two columns", () => {
  expect(wrapText("日本語日本 日本語日本 日本語日本", 22)).toBe("日本語日本 日本語日本\n日本語日本");
});

test("on a very narrow terminal the text still has room", () => {
  expect(wrapText("some words that are here", 10, 8)).toBe("        some words that are\n        here");
});
