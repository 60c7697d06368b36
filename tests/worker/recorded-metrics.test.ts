import { afterEach, beforeEach, describe, expect, type Mock, spyOn, test } from "bun:test";

import { MAX_LABEL_LENGTH, MAX_SERIES } from "../../src/model/metric-fields.ts";
import type { MetricDeclaration } from "../../src/model/model.ts";
import { readReport } from "../../src/pool/read-report.ts";
import { RecordedMetrics } from "../../src/worker/recorded-metrics.ts";

const DECLARED: Record<string, MetricDeclaration> = {
  requests: { type: "counter", help: "Requests.", labels: ["endpoint"] },
  open: { type: "gauge", help: "Open." },
  seconds: { type: "histogram", help: "Durations.", buckets: [0.1, 1] },
};

let printed: Mock<typeof console.error>;
beforeEach(() => {
  printed = spyOn(console, "error").mockImplementation(() => {});
});
afterEach(() => printed.mockRestore());

const words = (): string[] => printed.mock.calls.map(([text]) => String(text));

test("what was recorded since the last time is taken: additions and buckets anew, a gauge with its value", () => {
  let changes = 0;
  const metrics = new RecordedMetrics(DECLARED, () => changes++);
  metrics.add("requests", { endpoint: "a" });
  metrics.add("requests", { endpoint: "a" }, 2);
  metrics.add("requests", { endpoint: "b" }, 0.5);
  metrics.set("open", {}, 4);
  metrics.set("open", {}, 3);
  for (const value of [0.1, 0.2, 7]) metrics.observe("seconds", {}, value);
  expect(changes).toBe(1);
  expect(metrics.take()).toEqual([
    { name: "requests", labels: ["a"], value: 3 },
    { name: "requests", labels: ["b"], value: 0.5 },
    { name: "open", labels: [], value: 3 },
    { name: "seconds", labels: [], value: expect.closeTo(7.3), counts: [1, 1, 1] },
  ]);
  expect(metrics.take()).toEqual([]);
  metrics.add("requests", { endpoint: "a" });
  metrics.observe("seconds", {}, 0.5);
  expect(metrics.take()).toEqual([
    { name: "requests", labels: ["a"], value: 1 },
    { name: "seconds", labels: [], value: 0.5, counts: [0, 1, 0] },
  ]);
  expect(changes).toBe(2);
});

describe("a wrong use of a metric", () => {
  const cases: readonly [string, (metrics: RecordedMetrics) => void, string][] = [
    ["an unknown name", (m) => m.add("request"), 'found the metric "request"; allowed: requests, open, seconds'],
    ["another type", (m) => m.set("requests", { endpoint: "a" }, 1), "requests: found set(); allowed: add()"],
    [
      "a negative amount",
      (m) => m.add("requests", { endpoint: "a" }, -1),
      "requests: found -1; allowed: a finite number",
    ],
    ["no number", (m) => m.set("open", {}, Number.NaN), "open: found NaN; allowed: a finite number"],
    ["a label too few", (m) => m.add("requests"), "requests: found the labels none; allowed: strings for endpoint"],
    ["a label too many", (m) => m.set("open", { a: "b" }, 1), "open: found the labels a; allowed: none"],
    ["labels that are null", (m) => m.set("open", null as never, 1), ""],
    [
      "a label that is no string",
      (m) => m.add("requests", { endpoint: 1 } as never),
      "requests: found the labels endpoint; allowed: strings for endpoint",
    ],
  ];
  test.each(cases)("(%s) is printed once and records nothing", (name, use, problem) => {
    const metrics = new RecordedMetrics(DECLARED, () => {});
    for (let i = 0; i < 3; i++) use(metrics);
    if (name === "labels that are null")
      return expect(metrics.take()).toEqual([{ name: "open", labels: [], value: 1 }]);
    expect(words()).toEqual([expect.stringContaining(`metrics: ${problem}`)]);
    expect(metrics.take()).toEqual([]);
  });
});

test("a label cannot carry a long secret: it is cut, and the author reads so without its value", () => {
  const metrics = new RecordedMetrics(DECLARED, () => {});
  for (const length of [MAX_LABEL_LENGTH, 65, 1000, 2000]) metrics.add("requests", { endpoint: "s".repeat(length) });
  expect(metrics.take()).toEqual([{ name: "requests", labels: ["s".repeat(MAX_LABEL_LENGTH)], value: 4 }]);
  expect(words()).toEqual(["metrics: requests: found 65 characters of endpoint; allowed: 64; it is cut"]);
});

test("a sum beyond all numbers is the largest one, which the server takes", () => {
  const metrics = new RecordedMetrics(DECLARED, () => {});
  for (let i = 0; i < 3; i++) {
    metrics.add("requests", { endpoint: "a" }, 1e308);
    metrics.observe("seconds", {}, -1e308);
  }
  const taken = metrics.take();
  expect(taken.map(({ value }) => value)).toEqual([Number.MAX_VALUE, -Number.MAX_VALUE]);
  expect(readReport({ metrics: taken })).toBeDefined();
});

test("the series of a model are limited: the first ones go on", () => {
  const metrics = new RecordedMetrics(DECLARED, () => {});
  for (let i = 0; i < MAX_SERIES + 10; i++) metrics.add("requests", { endpoint: String(i) });
  metrics.add("requests", { endpoint: "0" });
  const taken = metrics.take();
  expect(taken).toHaveLength(MAX_SERIES);
  expect(taken[0]).toEqual({ name: "requests", labels: ["0"], value: 2 });
  expect(words()).toEqual(["metrics: requests: allowed: 1024 series of all metrics"]);
});
