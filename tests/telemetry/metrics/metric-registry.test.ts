import { describe, expect, test } from "bun:test";

import { MetricRegistry } from "../../../src/telemetry/metrics/metric-registry.ts";

describe("a metric registry", () => {
  test("collects metrics in the order of their registration", () => {
    const registry = new MetricRegistry();
    registry.gauge("b", "B.");
    registry.histogram("c", "C.", [1, 2]);
    registry.counter("a", "A.");
    expect(registry.collect().map(({ type, family }) => [type, family.definition.name])).toEqual([
      ["gauge", "b"],
      ["histogram", "c"],
      ["counter", "a"],
    ]);
  });

  test("resets gauges before its collectors add to them, and keeps counters", () => {
    const registry = new MetricRegistry();
    const gauge = registry.gauge("waiting", "Waiting.").with({});
    const counter = registry.counter("done_total", "Done.").with({});
    const addOne = (): void => {
      gauge.value += 1;
      counter.add();
    };
    registry.onCollect(addOne);
    registry.onCollect(() => addOne());
    registry.collect();
    registry.collect();
    expect(gauge.value).toBe(2);
    expect(counter.value).toBe(4);
  });

  test("no longer runs a collector that was disposed", () => {
    const registry = new MetricRegistry();
    let runs = 0;
    {
      using collector = registry.onCollect(() => (runs += 1));
      registry.collect();
      void collector;
    }
    registry.collect();
    expect(runs).toBe(1);
  });

  test("creates a metric without labels at 0, and any other series on first use", () => {
    const registry = new MetricRegistry();
    const plain = registry.counter("plain_total", "Plain.");
    const labelled = registry.counter("labelled_total", "Labelled.", ["code"]);
    expect(plain.samples()).toEqual([{ labels: {}, value: 0 }]);
    expect(labelled.samples()).toEqual([]);
    labelled.with({ code: "a" }).add(2);
    expect(labelled.samples()).toEqual([{ labels: { code: "a" }, value: 2 }]);
    expect(labelled.with({ code: "a" })).toBe(labelled.with({ code: "a" }));
  });

  test("gives each series of a histogram the bounds of its labels", () => {
    const family = new MetricRegistry().histogram("h", "H.", ({ kind }) => (kind === "a" ? [1] : [2, 3]), ["kind"]);
    expect([...family.with({ kind: "a" }).bounds]).toEqual([1]);
    expect([...family.with({ kind: "b" }).bounds]).toEqual([2, 3]);
  });
});
