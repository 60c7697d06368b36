import { expect, test } from "bun:test";

import fc from "fast-check";

import { Arena } from "../../src/audio/arena.ts";
import { SpanReader } from "../../src/worker/span-reader.ts";
import { writeSpan } from "../support/pool-harness.ts";

test("spans are read whole and in order, whatever slabs they lie in", () => {
  const lengths = fc.array(fc.integer({ min: 0, max: 3 * Arena.SLAB_SAMPLES }), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(lengths, (all) => {
      using arena = new Arena(20);
      const reader = new SpanReader(arena.samples);
      const samples = all.map((length, i) => Float32Array.from({ length }, (_, n) => 100_000 * i + n));
      // A slab between two spans, so that theirs do not follow each other.
      const spans = samples.map((audio) => (arena.take(), writeSpan(arena, audio)));
      const read = reader.read(spans);
      for (const [i, audio] of read.entries()) expect(audio.toString() === samples[i]!.toString()).toBe(true);
    }),
    { numRuns: 20 },
  );
});

test("writing to what was read does not change the arena", () => {
  const arena = new Arena(1);
  const span = writeSpan(arena, [1, 2, 3]);
  const reader = new SpanReader(arena.samples);
  reader.read([span])[0]!.fill(0);
  expect([...reader.read([span])[0]!]).toEqual([1, 2, 3]);
});

test("a span with too few slabs is refused", () => {
  const reader = new SpanReader(new Arena(1).samples);
  expect(() => reader.read([{ slabs: [0], offset: 10, length: Arena.SLAB_SAMPLES }])).toThrow("has slabs for 4086");
});
