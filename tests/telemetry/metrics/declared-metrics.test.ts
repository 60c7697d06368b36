import { expect, test } from "bun:test";

import type { MetricDeclaration } from "../../../src/model/model.ts";
import type { ReportedMetrics } from "../../../src/telemetry/metrics/declared-metrics.ts";
import { renderMetrics } from "../../../src/telemetry/metrics/exposition.ts";
import { ServerMetrics } from "../../../src/telemetry/metrics/server-metrics.ts";

const DECLARED: Record<string, MetricDeclaration> = {
  requests: { type: "counter", help: "Requests.", labels: ["endpoint"] },
  open: { type: "gauge", help: "Open." },
  seconds: { type: "histogram", help: "Durations.", buckets: [0.1, 1] },
};

function declare(
  metrics: ServerMetrics,
  model: string,
  declared = DECLARED,
): { readonly reported: ReportedMetrics; readonly refused: string[] } {
  const refused: string[] = [];
  const reported = metrics.model(model).declare(declared, (metric, reason) => refused.push(`${metric}: ${reason}`));
  return { reported, refused };
}

async function lines(metrics: ServerMetrics): Promise<string[]> {
  const { body } = await renderMetrics(metrics.registry, null);
  return body.split("\n").filter((line) => /^streamer_model_(requests|open|seconds)/.test(line));
}

test("counters and histograms of all workers add up and stay; gauges add up and end with their workers", async () => {
  const metrics = new ServerMetrics();
  const { reported, refused } = declare(metrics, "remote");
  const calls = (value: number) => ({ name: "requests", labels: ["a"], value });
  const open = (value: number) => ({ name: "open", labels: [], value });
  reported.add(0, [calls(2), open(5), { name: "seconds", labels: [], value: 3, counts: [1, 0, 2] }], true);
  reported.add(1, [calls(3), open(7)], true);
  reported.add(0, [calls(1), open(100)], false);
  const counted = [
    'streamer_model_requests_total{model="remote",endpoint="a"} 6',
    'streamer_model_seconds_bucket{le="0.1",model="remote"} 1',
    'streamer_model_seconds_bucket{le="1",model="remote"} 1',
    'streamer_model_seconds_bucket{le="+Inf",model="remote"} 3',
    'streamer_model_seconds_sum{model="remote"} 3',
    'streamer_model_seconds_count{model="remote"} 3',
  ];
  expect((await lines(metrics)).sort()).toEqual([...counted, 'streamer_model_open{model="remote"} 12'].sort());
  reported.workerEnded(1);
  expect(await lines(metrics)).toContain('streamer_model_open{model="remote"} 5');
  reported[Symbol.dispose]();
  expect((await lines(metrics)).sort()).toEqual([...counted, 'streamer_model_open{model="remote"} 0'].sort());
  expect(refused).toEqual([]);
});

test("metrics without labels are shown from the start", async () => {
  const metrics = new ServerMetrics();
  declare(metrics, "remote");
  expect(await lines(metrics)).toContain('streamer_model_open{model="remote"} 0');
  expect(await lines(metrics)).toContain('streamer_model_seconds_count{model="remote"} 0');
});

test("two models with the same declaration share a metric; with another one, and with a name of the server, it is refused", async () => {
  const metrics = new ServerMetrics();
  declare(metrics, "a").reported.add(0, [{ name: "requests", labels: ["x"], value: 1 }], true);
  const same = declare(metrics, "b");
  same.reported.add(0, [{ name: "requests", labels: ["x"], value: 2 }], true);
  expect(same.refused).toEqual([]);
  const other = declare(metrics, "c", {
    requests: { type: "counter", help: "Requests." },
    reloads: { type: "counter", help: "Reloads." },
  });
  expect(other.refused).toEqual([
    "requests: another model, or an earlier version of this one, declares it differently",
    "reloads: streamer_model_reloads_total is a metric of the server",
  ]);
  other.reported.add(0, [{ name: "requests", labels: [], value: 9 }], true);
  expect((await lines(metrics)).filter((line) => line.startsWith("streamer_model_requests"))).toEqual([
    'streamer_model_requests_total{model="a",endpoint="x"} 1',
    'streamer_model_requests_total{model="b",endpoint="x"} 2',
  ]);
});

test("a metric is refused whose series would have the names of another one, of a model or of the server", () => {
  const metrics = new ServerMetrics();
  const { refused } = declare(metrics, "a", {
    seconds: { type: "histogram", help: "Durations." },
    seconds_sum: { type: "gauge", help: "The sum of that histogram has this name." },
    open_count: { type: "gauge", help: "Open." },
    open: { type: "histogram", help: "Its count has the name of that gauge." },
    done: { type: "counter", help: "Done." },
    done_total: { type: "gauge", help: "That counter." },
    reloads: { type: "gauge", help: "OpenMetrics calls the reloads of the server so." },
  });
  expect(refused).toEqual([
    "seconds_sum: its series would be mixed up with those of streamer_model_seconds",
    "open: its series would be mixed up with those of streamer_model_open_count",
    "done_total: another model, or an earlier version of this one, declares it differently",
    "reloads: its series would be mixed up with those of streamer_model_reloads_total",
  ]);
});

test("reports that do not fit their declaration, or have too many series, are left out", async () => {
  const metrics = new ServerMetrics();
  const { reported } = declare(metrics, "a");
  const wrong = { value: 1, labels: ["x", "y"] };
  reported.add(
    0,
    [
      { name: "requests", ...wrong },
      { name: "unknown", ...wrong },
    ],
    true,
  );
  reported.add(0, [{ name: "seconds", labels: [], value: 1, counts: [1] }], true);
  for (let i = 0; i < 1_100; i++) reported.add(0, [{ name: "requests", labels: [`${i}`], value: -1 }], true);
  const found = await lines(metrics);
  expect(found.filter((line) => line.startsWith("streamer_model_requests"))).toHaveLength(1_023);
  expect(found.filter((line) => !/ 0$/.test(line))).toEqual([]);
});
