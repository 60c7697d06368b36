import { expect, test } from "bun:test";

import { formatOutput } from "../../../src/commands/send/output-text.ts";

const WORDS = [
  { word: "queen", start: 6.31, end: 6.62, confidence: 0.9 },
  { word: "of", start: 6.62, end: 6.71 },
  { word: "clubs", start: 6.71, end: 7.2 },
];

test("the text of a recogniser comes first and in quotes, and the times of its words are left out", () => {
  const event = {
    type: "segment",
    channel: 0,
    start_time: 6.2,
    confidence: 0.8731,
    words: WORDS,
    text: "queen of clubs",
  };
  expect(formatOutput(event)).toBe('"queen of clubs" confidence=0.873');
  expect(formatOutput({ text: "", count: 5 })).toBe('"" count=5');
});

test("the language stands behind the text, and is a field like others without one", () => {
  expect(formatOutput({ language: "en", confidence: 0.5, text: "yes" })).toBe('"yes" (en) confidence=0.5');
  expect(formatOutput({ language: "en" })).toBe('language="en"');
  expect(formatOutput({ language: ["en"], text: "yes" })).toBe('"yes" language=["en"]');
});

test("words without a text are shown as a text", () => {
  expect(formatOutput({ words: WORDS, count: 1600 })).toBe('"queen of clubs" count=1,600');
  expect(formatOutput({ words: [{ word: " he" }, { word: " was" }] })).toBe('"he was"');
});

test("words of another form, and a text that is no text, are shown as other fields are", () => {
  expect(formatOutput({ text: "one two", words: ["one", "two"] })).toBe('"one two" words=["one","two"]');
  expect(formatOutput({ text: 5, words: 2 })).toBe("text=5 words=2");
  expect(formatOutput({ words: [null] })).toBe("words=[null]");
});

test("only the words are coloured, and a word cannot bring colours of its own", () => {
  const paint = (text: string): string => `<${text}>`;
  expect(formatOutput({ count: 1, text: "a\u001B[31mb" }, paint)).toBe('<"a\\u{1b}[31mb"> count=1');
  expect(formatOutput({ label: "\u009B2J" }, paint)).toBe('label="\\u{9b}2J"');
});
