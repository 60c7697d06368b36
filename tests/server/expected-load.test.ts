import { expect, test } from "bun:test";

import { expectedLoad } from "../../src/server/expected-load.ts";
import { configure } from "../support/in-process-server.ts";

const expected = expectedLoad(configure({ "simple.block_ms": 500, "stateful.block_ms": 100 }));

test("a model is expected to take the time of its warm-up for each block, and for each utterance of two seconds", () => {
  expect(expected("simple", 0.05, false).compute).toBeCloseTo(0.1);
  expect(expected("stateful", 0.05, false).compute).toBeCloseTo(0.5);
  expect(expected("segmented", 0.05, false).compute).toBeCloseTo(0.025);
});

test("a pinned model is expected to take the time of its warm-up, a second of audio, for each second", () => {
  for (const pattern of ["stateful", "segmented"]) expect(expected(pattern, 0.05, true).compute).toBeCloseTo(0.05);
  expect(expected("stateful", 0.05, true).hold).toBe(expected("stateful", 0.05, false).hold);
});
