import { expect, test } from "bun:test";

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
  ends.resumed(0);
  expect(ends.answered(0, 1, 2.1, 1.9)).toEqual([{ channel: 0, lastWordEnd: 1.9 }]);
});

test("speech that goes on in time takes the end back", () => {
  const ends = new UtteranceEnds(1_000);
  ends.ended(0, 2);
  ends.answered(0, 1, 2.1, 1.9);
  ends.decoded(2.9);
  ends.resumed(0);
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
  ends.resumed(0);
  expect(ends.decoded(4)).toEqual([{ channel: 1, lastWordEnd: 2.9 }]);
});
