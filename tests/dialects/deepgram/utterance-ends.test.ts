import { expect, test } from "bun:test";

import fc from "fast-check";

import { UtteranceEnds } from "../../../src/dialects/deepgram/utterance-ends.ts";

test("an utterance is over when enough audio without speech has followed its result", () => {
  const ends = new UtteranceEnds(1_000);
  ends.ended(0, 2);
  expect(ends.answered(0, 1, 2.1, 1.9)).toEqual([]);
  expect(ends.decoded(2.99)).toEqual([]);
  expect(ends.decoded(3)).toEqual([{ channel: 0, lastWordEnd: 1.9 }]);
  expect(ends.decoded(9)).toEqual([]);
});

test("its end is not reported before its result, although the audio is past it", () => {
  const ends = new UtteranceEnds(1_000);
  ends.ended(0, 2);
  expect(ends.decoded(5)).toEqual([]);
  // Speech that begins meanwhile is the next utterance's.
  ends.resumed(0, 5.2);
  expect(ends.answered(0, 1, 2.1, 1.9)).toEqual([{ channel: 0, lastWordEnd: 1.9 }]);
});

test("speech that goes on in time takes the end back", () => {
  const ends = new UtteranceEnds(1_000);
  ends.ended(0, 2);
  ends.answered(0, 1, 2.1, 1.9);
  ends.decoded(2.9);
  ends.resumed(0, 2.9);
  expect(ends.decoded(9)).toEqual([]);
});

test("an utterance without words, or without a result, has no end", () => {
  const ends = new UtteranceEnds(1_000);
  ends.ended(0, 2);
  ends.decoded(5);
  expect(ends.answered(0, 1, 2.1, undefined)).toEqual([]);
  ends.ended(0, 6);
  ends.ended(0, 8);
  expect(ends.decoded(9)).toEqual([]);
  expect(ends.answered(0, 7, 8.1, 7.5)).toEqual([{ channel: 0, lastWordEnd: 7.5 }]);
});

test("channels do not mix", () => {
  const ends = new UtteranceEnds(1_000);
  ends.ended(0, 2);
  ends.ended(1, 3);
  ends.answered(0, 1, 2.1, 1.9);
  ends.answered(1, 1, 3.1, 2.9);
  ends.resumed(0, 3.5);
  expect(ends.decoded(4)).toEqual([{ channel: 1, lastWordEnd: 2.9 }]);
});

test("the same ends are reported whether the audio comes in small pieces or all at once", () => {
  // Pauses behind utterances of a second, all well below or above the limit.
  const pauses = fc.array(fc.constantFrom(0.3, 0.6, 1.4, 4), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(pauses, fc.integer({ min: 1, max: 400 }), fc.boolean(), (silences, piece, isEarly) => {
      const ends = new UtteranceEnds(1_000);
      const reported: number[] = [];
      const expected: number[] = [];
      const take = (due: readonly { lastWordEnd: number }[]) => reported.push(...due.map((end) => end.lastWordEnd));
      let at = 0;
      let decoded = 0;
      for (const silence of silences) {
        const [begin, end] = [at, at + 1];
        take(ends.resumed(0, begin));
        ends.ended(0, end);
        if (isEarly) take(ends.answered(0, begin, end + 0.1, end));
        at = end + silence;
        while (decoded + piece / 10 < at - 0.05) {
          decoded += piece / 10;
          if (decoded >= end) take(ends.decoded(decoded));
        }
        if (silence > 1) expected.push(end);
        // A result that comes late has its end behind it.
        if (!isEarly && silence > 1) {
          take(ends.resumed(0, at));
          take(ends.answered(0, begin, end + 0.1, end));
        }
      }
      take(ends.decoded(at));
      expect(reported).toEqual(expected);
    }),
  );
});
