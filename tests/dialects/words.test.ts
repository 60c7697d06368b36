import { describe, expect, test } from "bun:test";

import fc from "fast-check";

import { estimateWords, spokenOf } from "../../src/dialects/words.ts";

const SPAN = { start: 1, end: 3 };
const segment = (fields: object) => ({ type: "segment" as const, start_time: 1, end_time: 3, channel: 0, ...fields });
const spoken = (fields: object, untexted: "fields" | "empty" = "fields") => spokenOf(segment(fields), SPAN, untexted);

describe("the text of a result", () => {
  test("is its field text, with estimated words and a confidence that passes every threshold", () => {
    expect(spoken({ text: "turn left" })).toEqual({
      text: "turn left",
      words: [
        { word: "turn", start: 1, end: 2, confidence: 1 },
        { word: "left", start: 2, end: 3, confidence: 1 },
      ],
      confidence: 1,
      language: undefined,
      others: {},
    });
  });

  test("is made of the other fields where there is no text, and is empty with dialects.untexted empty", () => {
    const fields = { count: 30_400, kind: "a b", deep: [1, null] };
    expect(spoken(fields)).toMatchObject({ text: 'count=30400 kind="a b" deep=[1,null]', others: fields });
    expect(spoken(fields, "empty")).toMatchObject({ text: "", words: [], others: fields });
    expect(spoken({ text: 7 })?.text).toBe("text=7");
  });

  test("does not exist where a model has returned only audio", () => {
    expect(spoken({ audio: { bytes: 4, sample_rate: 8_000 } })).toBeUndefined();
    expect(spoken({ is_final: true, timing: { queue_ms: 1, infer_ms: 1, lag_ms: 1 } })).toBeUndefined();
  });
});

describe("the words of a result", () => {
  const words = [
    { word: "turn", start: 1.1, end: 1.5, confidence: 0.5, speaker: 3 },
    { word: "left", start: 1.5, end: 2 },
  ];

  test("are the model's own; one without a confidence has that of the result", () => {
    expect(spoken({ text: "turn left", words, confidence: 0.9 })?.words).toEqual([
      { word: "turn", start: 1.1, end: 1.5, confidence: 0.5 },
      { word: "left", start: 1.5, end: 2, confidence: 0.9 },
    ]);
  });

  test("give the result their mean confidence, if it has none", () => {
    const both = words.map((word, n) => ({ ...word, confidence: 0.5 + n / 4 }));
    expect(spoken({ text: "turn left", words: both })?.confidence).toBe(0.625);
  });

  test("are estimated where the model's are malformed, and so are confidence and language left out", () => {
    for (const wrong of ["turn", [{ word: "turn", start: 2, end: 1 }], [{ word: "turn" }], [null]]) {
      const found = spoken({ text: "turn left", words: wrong, confidence: 1.5, language: 7 });
      expect(found?.words.map(({ start }) => start)).toEqual([1, 2]);
      expect([found?.confidence, found?.language]).toEqual([1, undefined]);
    }
  });

  test("do not count as other fields, as language does not", () => {
    const found = spoken({ text: "turn left", words, language: "en", count: 7 });
    expect([found?.language, found?.others]).toEqual(["en", { count: 7 }]);
  });
});

test("estimated words fill the span in order, by their share of the characters, whatever the text", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.double({ min: 0, max: 100, noNaN: true }), (text, length) => {
      const words = estimateWords(text, { start: 2, end: 2 + length }, 1);
      expect(words.map(({ word }) => word)).toEqual(text.split(/\s+/).filter(Boolean));
      for (const [index, { start, end }] of words.entries()) {
        expect(start).toBeLessThanOrEqual(end);
        expect(start).toBe(index === 0 ? 2 : (words[index - 1]?.end ?? Number.NaN));
      }
      if (words.length > 0) expect(words.at(-1)?.end).toBeCloseTo(2 + length, 5);
    }),
  );
});
