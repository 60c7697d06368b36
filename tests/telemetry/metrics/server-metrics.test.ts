import { describe, expect, test } from "bun:test";

import { ServerMetrics } from "../../../src/telemetry/metrics/server-metrics.ts";

describe("the metrics of a server", () => {
  test("are independent of those of another server", () => {
    const [one, two] = [new ServerMetrics(), new ServerMetrics()];
    one.received.countAudio(100);
    expect(one.received.audioBytes.value).toBe(100);
    expect(two.received.audioBytes.value).toBe(0);
  });

  test("count an event by type, and errors and warnings also by code", () => {
    const metrics = new ServerMetrics();
    const { eventsSent, errors, warnings } = metrics.families.traffic;
    metrics.eventSent({ type: "segment" });
    metrics.eventSent({ type: "error", code: "internal" });
    metrics.eventSent({ type: "warning", code: "clipping" });
    for (const type of ["segment", "error", "warning"]) expect(eventsSent.with({ type }).value).toBe(1);
    expect([...errors.entries()].map(({ labels }) => labels)).toEqual([{ code: "internal" }]);
    expect([...warnings.entries()].map(({ labels }) => labels)).toEqual([{ code: "clipping" }]);
  });

  test("are shared by all streams of the same pattern and model", () => {
    const metrics = new ServerMetrics();
    expect(metrics.stream("simple", "a")).toBe(metrics.stream("simple", "a"));
    expect(metrics.stream("simple", "a")).not.toBe(metrics.stream("simple", "b"));
    expect(metrics.model("a")).toBe(metrics.model("a"));
  });
});
