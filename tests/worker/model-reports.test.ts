import { expect, test } from "bun:test";

import {
  MAX_REASON_LENGTH,
  METRICS_PERIOD_MS,
  type ModelReport,
  ModelReports,
} from "../../src/worker/model-reports.ts";
import { waitUntil } from "../support/wait.ts";

const DECLARED = { calls: { type: "counter", help: "Calls." } } as const;

test("what a model reports while it loads is sent as soon as somebody receives it", () => {
  const reports = new ModelReports(DECLARED);
  const sent: ModelReport[] = [];
  reports.context.unavailable("not yet");
  reports.context.metrics.add("calls");
  reports.open((report) => sent.push(report));
  expect(sent).toEqual([{ unavailable: "not yet", metrics: [{ name: "calls", labels: [], value: 1 }] }]);
});

test("metrics are sent at most once a second, and the rest at the end", async () => {
  const reports = new ModelReports(DECLARED);
  const sentMs: number[] = [];
  let calls = 0;
  reports.open(({ metrics = [] }) => {
    sentMs.push(performance.now());
    for (const { value } of metrics) calls += value;
  });
  let added = 0;
  while (sentMs.length < 2) {
    reports.context.metrics.add("calls");
    added++;
    await Bun.sleep(1);
  }
  // A timer of a busy machine may have been started late, and be early.
  expect(sentMs[1]! - sentMs[0]!).toBeGreaterThan(METRICS_PERIOD_MS / 2);
  reports.context.metrics.add("calls");
  reports.flush();
  reports.flush();
  expect(sentMs).toHaveLength(3);
  expect(calls).toBe(added + 1);
});

test("a reason is one line of bounded length, and what changes quickly is sent with its last value", async () => {
  const reports = new ModelReports();
  const sent: ModelReport[] = [];
  reports.open((report) => sent.push(report));
  reports.context.unavailable(`first\nline ${"x".repeat(1000)}`);
  await waitUntil("it is sent", () => sent.length === 1);
  expect(sent[0]!.unavailable).toStartWith("first\\u{a}line x");
  expect(sent[0]!.unavailable!.length).toBeLessThan(MAX_REASON_LENGTH + 10);
  for (const reason of ["a", undefined, "b", undefined]) reports.context.unavailable(reason);
  await waitUntil("it is sent", () => sent.length === 2);
  expect(sent[1]).toEqual({ unavailable: null });
});
