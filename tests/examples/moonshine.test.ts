import { expect, test } from "bun:test";

import { Interims } from "../../examples/moonshine/interims.ts";
import { repeatedTokens } from "../../examples/moonshine/loops.ts";
import { pieces } from "../../examples/moonshine/pieces.ts";
import { concat, noise } from "../support/audio.ts";

const RATE = 16_000;

test("all interims of an utterance together cost at most five times its final result", () => {
  for (const interval of [0.1, 0.5, 1]) {
    for (const seconds of [5, 20, 120]) {
      const interims = new Interims(0.25);
      let [computed, count] = [0, 0];
      for (let length = interval * RATE; length <= seconds * RATE; length += interval * RATE) {
        if (!interims.wanted({ utterance: 3, startSeconds: 1.5 }, length)) continue;
        computed += length;
        count += 1;
      }
      expect(computed).toBeLessThanOrEqual(5 * seconds * RATE);
      expect(count).toBeGreaterThanOrEqual(4);
    }
  }
});

test("short utterances have every interim, and with a growth of 0 all have", () => {
  const half = RATE / 2;
  for (const [growth, length] of [
    [0.25, 2],
    [0, 60],
  ] as const) {
    const interims = new Interims(growth);
    for (let at = half; at <= length * RATE; at += half) {
      expect(interims.wanted({ utterance: 0, startSeconds: 0 }, at)).toBe(true);
    }
  }
});

test("utterances do not share their interims, and those of two streams with the same start are not confused", () => {
  const interims = new Interims(0.25);
  const first = { utterance: 0, startSeconds: 1 };
  expect(interims.wanted(first, 100_000)).toBe(true);
  expect(interims.wanted({ utterance: 1, startSeconds: 1 }, 100_001)).toBe(true);
  expect(interims.wanted({ utterance: 0, startSeconds: 2 }, 100_001)).toBe(true);
  expect(interims.wanted(first, 100_001)).toBe(false);
  expect(interims.wanted(first, 100_000)).toBe(true);
  expect(interims.wanted(first, 50_000)).toBe(true);
  interims.forget(first);
  expect(interims.wanted(first, 50_001)).toBe(true);
});

test("a loop ends, and three times the same word does not", () => {
  const speech = [7, 8, 9, 10];
  expect(repeatedTokens([...speech, 5, 5, 5])).toBe(0);
  expect(repeatedTokens([...speech, 5, 6, 5, 6, 5, 6, 5, 6])).toBe(0);
  expect(repeatedTokens([])).toBe(0);
  for (let length = 1; length <= 16; length++) {
    const sequence = Array.from({ length }, (_, index) => 20 + index);
    const tokens = [...speech];
    let repeated = 0;
    while (repeated === 0) {
      expect(tokens.length).toBeLessThan(60);
      tokens.push(sequence[(tokens.length - speech.length) % length]!);
      repeated = repeatedTokens(tokens);
    }
    // What is left is the speech, and the sequence once.
    expect(tokens.slice(0, -repeated)).toEqual([...speech, ...sequence]);
    expect(repeated).toBeGreaterThanOrEqual(2 * length);
  }
});

test("long audio is cut into pieces of at most 30 s in its pauses, without a gap", () => {
  const loud = noise(100, { level: 0.5 });
  for (const pause of [28.05, 55.05]) loud.fill(0, (pause - 0.1) * RATE, (pause + 0.1) * RATE);
  const cut = [...pieces(loud)];
  const [first = 0, second = 0, ...others] = cut.map((piece) => piece.length / RATE);
  expect(first).toBeWithin(28, 28.1);
  expect(first + second).toBeWithin(55, 55.1);
  for (const seconds of others) expect(seconds).toBeWithin(0, 30.001);
  expect(concat(...cut)).toEqual(loud);
});

test("30 s are one piece, and no audio is none", () => {
  expect([...pieces(new Float32Array(30 * RATE))]).toHaveLength(1);
  expect([...pieces(new Float32Array(1))]).toHaveLength(1);
  expect([...pieces(new Float32Array(0))]).toEqual([]);
});
