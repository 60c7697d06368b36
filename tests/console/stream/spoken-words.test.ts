import { expect, test } from "bun:test";

import { spokenWords } from "../../../src/console/stream/spoken-words.ts";

test("words have their time and confidence, and what is no list of words is none", () => {
  const words = [
    { word: "turn", start: 0.5, end: 1, confidence: 0.75, speaker: 1 },
    { word: "left", start: 1, end: 1.25, confidence: "high" },
  ];
  expect(spokenWords(words)).toEqual([
    { word: "turn", hint: "0.50 – 1.00 s, confidence 0.75" },
    { word: "left", hint: "1.00 – 1.25 s" },
  ]);
  for (const other of [undefined, [], "turn", [{ word: "turn" }], { word: "turn" }])
    expect(spokenWords(other)).toBeUndefined();
});
