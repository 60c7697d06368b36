import { expect, test } from "bun:test";

import { cutStart, cutText, hangText, wrapText } from "../../../src/commands/terminal/wrapped-text.ts";

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

test("the first line of a hanging text keeps what stands before the indentation", () => {
  expect(hangText("label   one two three four five", 30, 8)).toBe("label   one two three four\n        five");
});

test("the tail of a hanging text is not broken: it stands behind the text, or in a line of its own", () => {
  expect(hangText("label   one two three", 40, 8, "5 ms after it")).toBe("label   one two three   5 ms after it");
  expect(hangText("label   one two three", 36, 8, "5 ms after it")).toBe(
    "label   one two three\n        5 ms after it",
  );
  expect(hangText("label   one", 18, 8, "5 ms after it"), "too narrow").toBe("label one 5 ms\n  after it");
});

test("on a terminal that is too narrow for columns, a hanging text fits all the same", () => {
  const line = "[0]      2.51 -    4.20  final count=27,040 and more";
  expect(hangText(line, 29, 25)).toBe("[0] 2.51 - 4.20 final\n  count=27,040 and more");
  expect(hangText("label   one two three", 11, 8)).toBe("label one\n  two three");
  expect(hangText("unbroken words", 15, 2)).toBe("unbroken\n  words");
});

test("text is cut to a number of columns, never within a wide character", () => {
  expect(["abcdef", "日本語", "a日本語"].map((text) => cutText(text, 4))).toEqual(["abcd", "日本", "a日"]);
  expect(cutText("abc", 4)).toBe("abc");
});

test("a line that is cut at the start of its text keeps its first columns and its end", () => {
  expect(cutStart("[0] one two three four", 30, 4)).toBe("[0] one two three four");
  expect(cutStart("[0] one two three four", 18, 4)).toBe("[0] ... three four");
  expect(cutStart("[0] one two three four", 21, 4)).toBe("[0] ... three four");
  expect(cutStart("[0] 日本語日本語日本語", 18, 4)).toBe("[0] ... 本語日本語");
  expect(cutStart("[0] one two three four", 12, 4), "too narrow for both").toBe("[0] one two ");
});
