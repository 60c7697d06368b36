import { expect, test } from "bun:test";

import { decodeResults, type WorkerResult } from "../../src/worker/messages.ts";

const audio = { samples: Float32Array.of(0.5), sampleRate: 8000 };

test.each([
  ["outputs", [{ outputJson: '{"a":1}' }, { outputJson: "{}" }], [{ output: { a: 1 } }, { output: {} }]],
  ["none", [{}], [{}]],
  ["errors", [{ error: "e", stack: 's "quoted"' }], [{ error: "e", stack: 's "quoted"' }]],
  ["audio", [{ outputJson: '{"a":1}', audio }, { error: "e" }], [{ output: { a: 1 }, audio }, { error: "e" }]],
  ["state", [{ outputJson: "{}", state: 1n }, { state: null }], [{ output: {}, state: 1n }, { state: null }]],
] satisfies [string, WorkerResult[], object[]][])("results in a message are decoded: %s", (_, results, expected) => {
  expect<readonly object[]>(decodeResults(results)).toEqual(expected);
});
