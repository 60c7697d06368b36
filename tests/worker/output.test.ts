import { expect, test } from "bun:test";

import { RESERVED_FIELDS } from "../../src/protocol/events.ts";
import { checkOutput, MAX_AUDIO_SAMPLES, MAX_OUTPUT_LENGTH } from "../../src/worker/output.ts";

test("fields are encoded as JSON, without the audio", () => {
  const shared = [1];
  const output = { text: "a", list: [null, true, { deep: -0.5 }], again: [shared, shared], absent: undefined };
  const { outputJson, audio } = checkOutput({ ...output, audio: Float32Array.of(1) }, 16_000);
  expect(JSON.parse(outputJson ?? "")).toEqual({ text: "a", list: [null, true, { deep: -0.5 }], again: [[1], [1]] });
  expect(audio).toEqual({ samples: Float32Array.of(1), sampleRate: 16_000 });
});

test("audio is copied, because it may be a view of the memory of the call", () => {
  const memory = Float32Array.of(1, 2, 3);
  const { audio } = checkOutput({ audio: memory.subarray(1) }, 8000);
  memory.fill(0);
  expect([...audio!.samples]).toEqual([2, 3]);
});

test.each(RESERVED_FIELDS.filter((name) => name !== "audio"))(
  "an output with the reserved field %s is refused",
  (name) => {
    expect(() => checkOutput({ [name]: undefined }, 16_000)).toThrow(`field "${name}", which is reserved`);
  },
);

for (const [words, output] of [
  ["plain object, not null", null],
  ["plain object, not a Map", new Map()],
  ["plain object, not a string", "text"],
  ['"level" is Infinity', { level: Infinity }],
  ['"levels" is a Float32Array', { levels: new Float32Array(1) }],
  ['"at" is a Date', { at: new Date() }],
  ['"go" is a function', { go: () => 1 }],
  ['"a".b[1] is a symbol', { a: { b: [1, Symbol("s")] } }],
  ['"audio" must be', { audio: [1, 2] }],
  ['"audio" must be', { audio: { samples: Float32Array.of(1), sample_rate: 0 } }],
  ["the sample_rate 384001; allowed: 1 to 384000 Hz", { audio: { samples: Float32Array.of(1), sample_rate: 384_001 } }],
  ["characters of JSON", { text: "a".repeat(MAX_OUTPUT_LENGTH) }],
  ["8388609 samples", { audio: new Float32Array(MAX_AUDIO_SAMPLES + 1) }],
] as const) {
  test(`an output is refused with the reason: ${words}`, () => {
    expect(() => checkOutput(output, 16_000)).toThrow(words);
  });
}
