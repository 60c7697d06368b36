import { describe, expect, test } from "bun:test";

import type { CallMessage, DoneMessage, WorkerResult } from "../../src/worker/messages.ts";
import { decodeDone, decodeMessage, encodeCall, encodeDone } from "../../src/worker/messages.ts";

const job = { lane: 3, final: true, slabs: [4, 5], offset: 6, length: 7 };
const audio = { samples: Float32Array.of(0.5), sampleRate: 8000 };

test("a call without state is text; with state it is an object for a structured clone", () => {
  const call: CallMessage = { type: "call", call: 1, jobs: [job, { ...job, traceparent: "00-a-b-01" }] };
  const encoded = encodeCall(call);
  expect(encoded).toBeString();
  expect(decodeMessage(encoded)).toEqual(call);
  const stateful: CallMessage = { type: "call", call: 2, jobs: [{ ...job, step: "step", state: new Map([[1, 2]]) }] };
  expect(encodeCall(stateful)).toBe(stateful);
  expect(decodeMessage(stateful)).toBe(stateful);
});

describe("results", () => {
  const cases: [string, WorkerResult[], unknown[]][] = [
    ["outputs", [{ outputJson: '{"a":1}' }, { outputJson: "{}" }], [{ output: { a: 1 } }, { output: {} }]],
    ["none", [{}], [{}]],
    [
      "errors",
      [{ error: "e", stack: 's "quoted"' }, { error: "f" }],
      [{ error: "e", stack: 's "quoted"' }, { error: "f" }],
    ],
    ["audio", [{ outputJson: '{"a":1}', audio }, { error: "e" }], [{ output: { a: 1 }, audio }, { error: "e" }]],
    ["state", [{ outputJson: "{}", state: 1n }, { state: null }], [{ output: {}, state: 1n }, { state: null }]],
  ];
  test.each(cases)("arrive as they were sent: %s", (name, results, expected) => {
    const encoded = encodeDone(7, 1.5, results);
    expect(typeof encoded).toBe(name === "audio" || name === "state" ? "object" : "string");
    const done = decodeDone(decodeMessage(encoded) as DoneMessage);
    expect(done).toEqual({ type: "done", call: 7, inferMs: 1.5, results: expected as DoneMessage["results"] });
  });
});
