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
    expect(spoken({ count: 1, absent: undefined })?.text).toBe("count=1");
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

  test("are estimated where the model has none for its text; an empty one counts as none", () => {
    for (const none of [[], [{ word: " ", start: 1, end: 2 }]]) {
      expect(spoken({ text: "turn left", words: none })?.words.map(({ word }) => word)).toEqual(["turn", "left"]);
      expect(spoken({ text: "", words: none })?.words).toEqual([]);
    }
  });

  test("are in the order of time, without the blanks that some models put in front of them", () => {
    const moved = [
      { word: " left", start: 1.5, end: 2 },
      { word: " turn", start: 1.1, end: 1.5 },
    ];
    const found = spoken({ text: " turn left\n", words: moved });
    expect([found?.text, found?.words.map(({ word }) => word)]).toEqual(["turn left", ["turn", "left"]]);
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

/** What models return under the names of the convention, right or wrong. */
const outputs = fc.record(
  {
    text: fc.oneof(fc.string({ unit: "binary" }), fc.string({ unit: "grapheme" }), fc.anything()),
    words: fc.oneof(
      fc.array(
        fc.record({
          word: fc.string({ unit: "grapheme" }),
          start: fc.double(),
          end: fc.double(),
          confidence: fc.anything(),
        }),
      ),
      fc.array(fc.record({ word: fc.constantFrom("a", "", " b "), start: fc.nat(9), end: fc.nat(9) })),
      fc.anything(),
    ),
    confidence: fc.oneof(fc.double(), fc.anything()),
    language: fc.oneof(fc.string(), fc.anything()),
    other: fc.jsonValue(),
  },
  { requiredKeys: [] },
);

test("whatever a model returns, words have a text, are in order, and no confidence is out of range", () => {
  fc.assert(
    fc.property(outputs, (fields) => {
      // As the server does before it sends a result.
      const sent = JSON.parse(
        JSON.stringify(fields, (_, value: unknown) => (typeof value === "bigint" ? 1 : value)),
      ) as object;
      const found = spoken(sent);
      if (found === undefined) return expect(Object.keys(sent)).toEqual([]);
      const { text, words, confidence } = found;
      expect(text).toBe(text.trim());
      expect(confidence).toBeWithin(0, 1 + Number.EPSILON);
      if (text !== "") expect(words).not.toBeEmpty();
      for (const [index, word] of words.entries()) {
        expect(word.word).not.toBe("");
        expect(word.start).toBeLessThanOrEqual(word.end);
        expect(word.start).toBeGreaterThanOrEqual(words[index - 1]?.start ?? 0);
        expect(word.confidence).toBeWithin(0, 1 + Number.EPSILON);
      }
    }),
  );
});
