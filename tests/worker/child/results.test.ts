import { expect, test } from "bun:test";

import { MAX_HEADER_BYTES } from "../../../src/worker/child/frames.ts";
import { encodeResults } from "../../../src/worker/child/results.ts";
import { MAX_OUTPUT_LENGTH } from "../../../src/worker/output.ts";

test("the results of a batch that are too long for one frame together become errors, one for each job", () => {
  const outputJson = JSON.stringify({ text: "x".repeat(MAX_OUTPUT_LENGTH - 11) });
  const count = Math.ceil(MAX_HEADER_BYTES / MAX_OUTPUT_LENGTH);
  const { json, blobs } = encodeResults(Array.from({ length: count }, () => ({ outputJson })));
  const results: unknown = JSON.parse(json);
  expect(results).toBeArrayOfSize(count);
  const error = expect.stringMatching(/^the results of one call have \d+ bytes of JSON; allowed: \d+$/);
  expect(results).toEqual(Array.from({ length: count }, () => ({ error })));
  expect(blobs).toEqual([]);
});

test("results that fit into a frame together are sent as they are", () => {
  expect(JSON.parse(encodeResults([{ outputJson: '{"n":1}' }, {}]).json)).toEqual([{ output: { n: 1 } }, {}]);
});
