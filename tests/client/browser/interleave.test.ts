import { expect, test } from "bun:test";

import { interleave, interleaveFloats } from "../../../src/client/browser/interleave.ts";

const LEFT = Float32Array.of(0, 1, -1, 2);
const RIGHT = Float32Array.of(0.5, -0.5, -3, 0.25);

test("16 bits are limited to their range, frame by frame", () => {
  const samples = new Int16Array(interleave([LEFT, RIGHT]).buffer);
  expect([...samples]).toEqual([0, 16_384, 32_767, -16_384, -32_768, -32_768, 32_767, 8_192]);
});

test("floats stay as they are", () => {
  const samples = new Float32Array(interleaveFloats([LEFT, RIGHT]).buffer);
  expect([...samples]).toEqual([0, 0.5, 1, -0.5, -1, -3, 2, 0.25]);
  expect(interleaveFloats([])).toHaveLength(0);
});
