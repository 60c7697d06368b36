import { describe, expect, test } from "bun:test";

import { renderMetrics } from "../../../src/telemetry/metrics/exposition.ts";
import { MetricRegistry } from "../../../src/telemetry/metrics/metric-registry.ts";
import { ServerMetrics } from "../../../src/telemetry/metrics/server-metrics.ts";

const TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736";
const OPEN_METRICS = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5";

describe("rendered metrics", () => {
  test("escape label values", async () => {
    const registry = new MetricRegistry();
    registry
      .counter("started_total", "Started.", ["pattern", "model"])
      .with({ pattern: "p", model: 'a"b\\c\nd' })
      .add(3);
    const { body } = await renderMetrics(registry, null);
    expect(body).toContain('started_total{pattern="p",model="a\\"b\\\\c\\nd"} 3');
  });

  test("have cumulative buckets, their sum and their count", async () => {
    const registry = new MetricRegistry();
    const batchSize = registry.histogram("batch_size", "Batch size.", [1, 2, 4], ["model"]).with({ model: "m" });
    for (const size of [1, 1, 3, 100]) batchSize.observe(size);
    const { body } = await renderMetrics(registry, null);
    expect(body).toContain('batch_size_bucket{le="1",model="m"} 2\n');
    expect(body).toContain('batch_size_bucket{le="4",model="m"} 3\n');
    expect(body).toContain('batch_size_bucket{le="+Inf",model="m"} 4\n');
    expect(body).toContain('batch_size_sum{model="m"} 105\n');
    expect(body).toContain('batch_size_count{model="m"} 4\n');
  });

  test("have exemplars only for a client that accepts OpenMetrics", async () => {
    const registry = new MetricRegistry();
    registry.histogram("wait_seconds", "Wait.", [0.1, 0.25]).with({}).observe(0.2, TRACE_ID);
    const open = await renderMetrics(registry, OPEN_METRICS);
    expect(open.contentType).toStartWith("application/openmetrics-text; version=1.0.0");
    expect(open.body).toMatch(new RegExp(`le="0.25".*} 1 # {trace_id="${TRACE_ID}"} 0.2 [0-9.]+\n`));
    expect(open.body).toEndWith("\n# EOF\n");
    expect(open.body.match(/# EOF/g)).toHaveLength(1);
    const plain = await renderMetrics(registry, "text/plain");
    expect(plain.contentType).toStartWith("text/plain; version=0.0.4");
    expect(plain.body).not.toContain("trace_id");
  });

  test("keep their names in one format after a request for the other", async () => {
    const { registry } = new ServerMetrics();
    const names = async () => (await renderMetrics(registry, null)).body.match(/^# TYPE .*$/gm);
    const before = await names();
    await renderMetrics(registry, OPEN_METRICS);
    expect(await names()).toEqual(before);
  });

  test("show gauges as they are at the time of the request", async () => {
    const registry = new MetricRegistry();
    const waiting = registry.gauge("waiting", "Waiting.", ["model"]);
    let jobs = 5;
    registry.onCollect(() => {
      if (jobs > 0) waiting.with({ model: "m" }).set(jobs);
    });
    const line = async () => /waiting{.*} (\d+)/.exec((await renderMetrics(registry, null)).body)?.[1];
    expect(await line()).toBe("5");
    jobs = 0;
    expect(await line()).toBe("0");
  });
});
