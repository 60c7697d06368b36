import { expect, test } from "bun:test";

import { findMetricProblems } from "../../src/model/metric-fields.ts";

const COUNTER = { type: "counter", help: "Requests." };

test("metrics are accepted as `ModelModule` has them", () => {
  expect(findMetricProblems(undefined)).toEqual([]);
  const seconds = { type: "histogram", help: "Durations.", labels: ["endpoint", "status"], buckets: [0.1, 1] };
  expect(findMetricProblems({ requests: COUNTER, seconds })).toEqual([]);
});

test.each([
  [1, "metrics: found 1; allowed: an object of"],
  [{ Requests: COUNTER }, 'metrics: found the name "Requests"; allowed: 1 to 64 of a-z'],
  [{ requests: "many" }, 'metrics.requests: found "many"; allowed: { type, help }'],
  [{ requests: { help: "." } }, "metrics.requests.type: found nothing; allowed: counter, gauge, histogram"],
  [{ requests: { type: "counter", help: "two\nlines" } }, "metrics.requests.help: found"],
  [{ requests: { ...COUNTER, labels: ["model"] } }, "metrics.requests.labels: found an array; allowed: at most 4"],
  [{ requests: { ...COUNTER, labels: ["a", "a"] } }, "metrics.requests.labels: found an array"],
  [{ requests: { ...COUNTER, labels: ["a", "b", "c", "d", "e"] } }, "metrics.requests.labels: found an array"],
  [{ requests: { ...COUNTER, buckets: [1] } }, "metrics.requests.buckets: found an array; allowed: 1 to 32 ascending"],
  [{ requests: { type: "histogram", help: ".", buckets: [1, 1] } }, "metrics.requests.buckets: found an array"],
  [Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`m${i}`, COUNTER])), "metrics: found 33; allowed: 32"],
])("a wrong declaration (%j) is described for its author", (metrics, problem) => {
  expect(findMetricProblems(metrics)).toEqual([expect.stringContaining(problem)]);
});
