import { expect, test } from "bun:test";

import { checkOutput, MAX_AUDIO_SAMPLES, MAX_OUTPUT_LENGTH } from "../../src/worker/output.ts";

test("what JSON carries is passed on as text, sound apart", () => {
  const shared = [1];
  const output = { text: "a", list: [null, true, { deep: -0.5 }], again: [shared, shared], absent: undefined };
  const { json, audio } = checkOutput({ ...output, audio: Float32Array.of(1) }, 16_000);
  expect(JSON.parse(json)).toEqual({ text: "a", list: [null, true, { deep: -0.5 }], again: [[1], [1]] });
  expect(audio).toEqual({ samples: Float32Array.of(1), sampleRate: 16_000 });
});

test("sound is copied, since the input that it may lie in is lent again", () => {
  const lent = Float32Array.of(1, 2, 3);
  const { audio } = checkOutput({ audio: lent.subarray(1) }, 8000);
  lent.fill(0);
  expect([...audio!.samples]).toEqual([2, 3]);
});

for (const [words, output] of [
  ["plain object, not null", null],
  ["plain object, not a Map", new Map()],
  ["plain object, not a string", "text"],
  ['"level" is Infinity', { level: Infinity }],
  ['"levels" is a Float32Array', { levels: new Float32Array(1) }],
  ['"at" is a Date', { at: new Date() }],
  ['"go" is a function', { go: () => 1 }],
  ['"a".b[1] is a symbol', { a: { b: [1, Symbol("s")] } }],
  ['field "timing"', { timing: 1 }],
  ['field "type"', { type: undefined }],
  ['"audio" should be', { audio: [1, 2] }],
  ['"audio" should be', { audio: { samples: Float32Array.of(1), sample_rate: 0 } }],
  ["characters long", { text: "a".repeat(MAX_OUTPUT_LENGTH) }],
  ["can be sent at once", { audio: new Float32Array(MAX_AUDIO_SAMPLES + 1) }],
] as const) {
  test(`an output is refused in words: ${words}`, () => {
    expect(() => checkOutput(output, 16_000)).toThrow(words);
  });
}
