import { describe, expect, test } from "bun:test";
import { join } from "node:path";

import { expose } from "../../../src/telemetry/metrics/exposition.ts";
import { Metrics } from "../../../src/telemetry/metrics/metrics.ts";
import { ServerMetrics } from "../../../src/telemetry/metrics/server-metrics.ts";

const operations = await Bun.file(join(import.meta.dir, "..", "..", "..", "docs", "operations.md")).text();

describe("the metrics", () => {
  test("are named as Prometheus wants it, with a unit, and described", () => {
    for (const { kind, family } of new Metrics().collect()) {
      const { name, help } = family.definition;
      expect(name).toMatch(/^streamer_[a-z]+(_[a-z]+)*$/);
      expect(name.endsWith("_total")).toBe(kind === "counter");
      expect(help).toMatch(/^[A-Z1].{10,}[.:]?/);
    }
  });

  test("have different names", () => {
    const names = new Metrics().collect().map(({ family }) => family.definition.name);
    expect(new Set(names).size).toBe(names.length);
  });

  test("are all explained in docs/operations.md, which explains no others", () => {
    const names = new Metrics().collect().map(({ family }) => family.definition.name);
    const explained = [...operations.matchAll(/^\| `(streamer_[a-z_]+)` +\|/gm)].map(([, name = ""]) => name);
    expect(explained.toSorted()).toEqual(names.toSorted());
  });

  test("of two servers have nothing in common", () => {
    const [one, two] = [new ServerMetrics(), new ServerMetrics()];
    one.received.countAudio(100);
    expect(two.received.audioBytes.value).toBe(0);
  });
});

describe("what is exposed", () => {
  test("escapes what a label holds", async () => {
    const metrics = new Metrics();
    metrics.streamsStarted.with({ pattern: "simple", model: 'a"b\\c\nd' }).add(3);
    const { body } = await expose(metrics, null);
    expect(body).toContain('streamer_streams_started_total{pattern="simple",model="a\\"b\\\\c\\nd"} 3');
  });

  test("has cumulative buckets, their sum and their count", async () => {
    const metrics = new Metrics();
    for (const size of [1, 1, 3, 100]) metrics.batchSize.with({ model: "m" }).observe(size);
    const { body } = await expose(metrics, null);
    expect(body).toContain('streamer_inference_batch_size_bucket{le="1",model="m"} 2\n');
    expect(body).toContain('streamer_inference_batch_size_bucket{le="4",model="m"} 3\n');
    expect(body).toContain('streamer_inference_batch_size_bucket{le="+Inf",model="m"} 4\n');
    expect(body).toContain('streamer_inference_batch_size_sum{model="m"} 105\n');
    expect(body).toContain('streamer_inference_batch_size_count{model="m"} 4\n');
  });

  test("has exemplars for who accepts OpenMetrics, and for nobody else", async () => {
    const metrics = new Metrics();
    metrics.queueSeconds.with({ model: "m", kind: "final" }).observe(0.2, "4bf92f3577b34da6a3ce929d0e0e4736");
    const open = await expose(metrics, "application/openmetrics-text;version=1.0.0,text/plain;q=0.5");
    expect(open.contentType).toStartWith("application/openmetrics-text; version=1.0.0");
    expect(open.body).toMatch(/le="0.25".*} 1 # {trace_id="4bf92f3577b34da6a3ce929d0e0e4736"} 0.2 [0-9.]+\n/);
    expect(open.body).toEndWith("\n# EOF\n");
    expect(open.body.match(/# EOF/g)).toHaveLength(1);
    const plain = await expose(metrics, "text/plain");
    expect(plain.contentType).toStartWith("text/plain; version=0.0.4");
    expect(plain.body).not.toContain("trace_id");
  });

  test("is the same after OpenMetrics was asked for", async () => {
    const metrics = new Metrics();
    const names = async () => (await expose(metrics, null)).body.match(/^# TYPE .*$/gm);
    const before = await names();
    await expose(metrics, "application/openmetrics-text");
    expect(await names()).toEqual(before);
  });

  test("shows levels as they are now", async () => {
    const metrics = new Metrics();
    let waiting = 5;
    using collector = metrics.onCollect(() => {
      if (waiting > 0) metrics.inferenceWaiting.with({ model: "m", kind: "final" }).set(waiting);
    });
    const line = async () => /streamer_inference_waiting{.*} (\d+)/.exec((await expose(metrics, null)).body)?.[1];
    expect(await line()).toBe("5");
    waiting = 0;
    expect(await line()).toBe("0");
    void collector;
  });
});
