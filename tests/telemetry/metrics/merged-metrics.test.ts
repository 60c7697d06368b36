import { expect, test } from "bun:test";

import { renderSnapshots } from "../../../src/telemetry/metrics/exposition.ts";
import { mergeMetrics, withoutGauges } from "../../../src/telemetry/metrics/merged-metrics.ts";
import { takeSnapshot } from "../../../src/telemetry/metrics/metric-snapshot.ts";
import { ServerMetrics } from "../../../src/telemetry/metrics/server-metrics.ts";

/** The snapshot of a server whose metrics `fill` sets. It passes through the format that processes exchange. */
function snapshot(process: string, fill: (metrics: ServerMetrics) => void) {
  const metrics = new ServerMetrics();
  metrics.registry.onCollect(() => fill(metrics));
  return { process, metrics: structuredClone(takeSnapshot(metrics.registry)) };
}

async function merged(...processes: ReturnType<typeof snapshot>[]): Promise<string> {
  return (await renderSnapshots(mergeMetrics(processes), null)).body;
}

test("counters, gauges of amounts and histograms of all processes are summed, series by series", async () => {
  const text = await merged(
    snapshot("1", ({ families: { sessions, results } }) => {
      sessions.opened.with({ pattern: "simple", dialect: "streamer" }).add(3);
      sessions.active.with({}).set(2);
      for (const seconds of [0.001, 0.2]) results.latency.with({ pattern: "simple", model: "m" }).observe(seconds);
    }),
    snapshot("2", ({ families: { sessions, results } }) => {
      sessions.opened.with({ pattern: "simple", dialect: "streamer" }).add(4);
      sessions.opened.with({ pattern: "segmented", dialect: "deepgram" }).add(1);
      sessions.active.with({}).set(5);
      results.latency.with({ pattern: "simple", model: "m" }).observe(0.2);
    }),
  );
  expect(text).toContain('streamer_sessions_opened_total{pattern="simple",dialect="streamer"} 7\n');
  expect(text).toContain('streamer_sessions_opened_total{pattern="segmented",dialect="deepgram"} 1\n');
  expect(text).toContain("streamer_sessions_active 7\n");
  expect(text).toContain('streamer_result_latency_seconds_count{pattern="simple",model="m"} 3\n');
  expect(text).toContain('streamer_result_latency_seconds_sum{pattern="simple",model="m"} 0.401\n');
  expect(text).toContain('streamer_result_latency_seconds_bucket{le="+Inf",pattern="simple",model="m"} 3\n');
  expect(text.match(/^# TYPE streamer_sessions_active /gm)).toHaveLength(1);
});

test("facts that processes share are not summed, ratios keep a series for each process", async () => {
  const fill = (ratio: number) => (metrics: ServerMetrics) => {
    const { server, runtime } = metrics.families;
    server.ready.with({}).set(1);
    server.buildInfo.with({ version: "1", protocol: "1", bun: "1" }).set(1);
    server.capacity.with({ resource: "sessions" }).set(100);
    runtime.loopUtilization.with({}).set(ratio);
  };
  const text = await merged(snapshot("1", fill(0.25)), snapshot("2", fill(0.75)));
  expect(text).toContain("streamer_ready 1\n");
  expect(text).toMatch(/streamer_build_info\{.*\} 1\n/);
  expect(text).toContain('streamer_capacity_streams{resource="sessions"} 100\n');
  expect(text).toContain('streamer_event_loop_utilization_ratio{process="1"} 0.25\n');
  expect(text).toContain('streamer_event_loop_utilization_ratio{process="2"} 0.75\n');
});

test("capacity of what every process has counts those without load like the others", async () => {
  const estimate = (value: number) => (metrics: ServerMetrics) => {
    for (const resource of ["event_loop", "processor"]) metrics.families.server.capacity.with({ resource }).set(value);
  };
  const text = await merged(snapshot("1", estimate(500)), snapshot("2", estimate(Number.NaN)));
  expect(text).toContain('streamer_capacity_streams{resource="event_loop"} 1000\n');
  expect(text).toContain('streamer_capacity_streams{resource="processor"} 500\n');
  const idle = await merged(snapshot("1", estimate(Number.NaN)), snapshot("2", estimate(Number.NaN)));
  expect(idle).toContain('streamer_capacity_streams{resource="event_loop"} Nan\n');
});

test("the newest exemplar of a bucket is kept", async () => {
  const observe = (traceId: string, timestamp: number) => (metrics: ServerMetrics) => {
    const histogram = metrics.families.results.lag.with({ pattern: "simple", model: "m" });
    histogram.observe(0.2, traceId);
    histogram.exemplars.forEach((exemplar, i) => {
      if (exemplar !== undefined) histogram.exemplars[i] = { ...exemplar, timestamp };
    });
  };
  const [newer, older] = ["4bf92f3577b34da6a3ce929d0e0e4736", "00000000000000000000000000000001"];
  const processes = [snapshot("1", observe(newer, 200)), snapshot("2", observe(older, 100))];
  const { body } = await renderSnapshots(mergeMetrics(processes), "application/openmetrics-text");
  expect(body).toContain(newer);
  expect(body).not.toContain(older);
});

test("a process that has ended leaves its counters and histograms, and no gauges", () => {
  const { metrics } = snapshot("1", () => undefined);
  const left = withoutGauges(metrics);
  expect(new Set(left.map(({ type }) => type))).toEqual(new Set(["counter", "histogram"]));
  expect(left.length).toBeLessThan(metrics.length);
});
