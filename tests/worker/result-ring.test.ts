import { describe, expect, test } from "bun:test";

import fc from "fast-check";

import type { WorkerResult } from "../../src/worker/messages.ts";
import { decodeResults } from "../../src/worker/messages.ts";
import { ResultRing } from "../../src/worker/result-ring.ts";

function sides(): { host: ResultRing; worker: ResultRing } {
  const host = new ResultRing();
  return { host, worker: new ResultRing(host.buffer) };
}

test("results arrive as they were written, in order: outputs, none, errors, text of any language", () => {
  const { host, worker } = sides();
  const calls: WorkerResult[][] = [
    [{ outputJson: '{"text":"grüße 你好 😀"}' }, { outputJson: "{}" }],
    [{}],
    [{ error: "e", stack: 's "quoted"\n' }, { outputJson: '{"a":1}' }],
    [],
  ];
  for (const [position, results] of calls.entries()) expect(worker.write(position, 1.5, results)).toBe(true);
  expect(host.read()).toEqual(
    calls.map((results, position) => ({ position, inferMs: 1.5, results: decodeResults(results) })),
  );
  expect(host.read()).toEqual([]);
});

test("results with audio or state, or larger than the memory, travel in a message", () => {
  const { worker } = sides();
  const audio = { samples: Float32Array.of(0.5), sampleRate: 8000 };
  expect(worker.write(0, 1, [{ outputJson: "{}", audio }])).toBe(false);
  expect(worker.write(0, 1, [{ state: null }])).toBe(false);
  expect(worker.write(0, 1, [{ outputJson: JSON.stringify({ text: "a".repeat(100_000) }) }])).toBe(false);
});

test("what a pinned stream reports is not lost: beside an output it travels in a message, alone it fits", () => {
  const { worker, host } = sides();
  for (const beside of [{ opened: true }, { endpoint: true }] as const) {
    expect(worker.write(1, 0, [{ outputJson: "{}", ...beside }])).toBe(false);
    expect(worker.write(1, 0, [beside])).toBe(true);
    expect(host.read()).toEqual([{ position: 1, inferMs: 0, results: [beside] }]);
  }
});

test("what does not fit beside results that were not read is refused, and nothing is lost", () => {
  const lengths = fc.array(fc.tuple(fc.integer({ min: 0, max: 9000 }), fc.boolean()), {
    minLength: 50,
    maxLength: 200,
  });
  fc.assert(
    fc.property(lengths, (all) => {
      const { host, worker } = sides();
      const [written, read]: [string[], string[]] = [[], []];
      const readAll = (): void => {
        for (const { results } of host.read()) read.push(String(results[0]?.output?.["text"]));
      };
      for (const [i, [length, reads]] of all.entries()) {
        const text = `${i}${"é".repeat(length)}`;
        if (worker.write(i, 1, [{ outputJson: JSON.stringify({ text }) }])) written.push(text);
        if (reads) readAll();
      }
      readAll();
      expect(read).toEqual(written);
      expect(written.length).toBeGreaterThan(0);
    }),
    { numRuns: 50 },
  );
});

describe("the host is told of results", () => {
  test("once until it reads them", () => {
    const { host, worker } = sides();
    worker.write(0, 1, [{}]);
    expect([worker.signal(), worker.signal()]).toEqual([true, false]);
    host.read();
    expect(worker.signal()).toBe(true);
  });
});
