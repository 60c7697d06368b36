import { describe, expect, test } from "bun:test";
import { join } from "node:path";

import { ServerMetrics } from "../../src/telemetry/metrics/server-metrics.ts";
import { dashboards, queries } from "../support/deploy/dashboards.ts";
import { LoadedServer } from "../support/deploy/load.ts";
import { baseName, metricNames, recordedNames } from "../support/deploy/names.ts";
import { Prometheus } from "../support/deploy/prometheus.ts";
import { testWith, tool } from "../support/deploy/tools.ts";
import { until } from "../support/until.ts";

const root = join(import.meta.dir, "..", "..");
const program = tool("prometheus", "prometheus");
const rules = ["rules.yml", "alerts.yml"].map((name) => join(root, "deploy", "prometheus", name));
const LIMIT_MS = 90_000;

/** Metrics of the process, by prom-client, and of each scrape, by Prometheus. */
const FOREIGN = /^(?:process|scrape)_/;

const panelQueries = queries();
const used = new Set(panelQueries.flatMap(({ expression }) => recordedNames(expression)));
const series = metricNames(new ServerMetrics().registry);

describe("the dashboards", () => {
  test("are the five that docs/metrics.md names", () => {
    expect([...dashboards.keys()]).toEqual([
      "latency.json",
      "overview.json",
      "runtime.json",
      "stream.json",
      "workers.json",
    ]);
  });

  test("have unique ids, panels that do not overlap, and a query in every panel", () => {
    for (const [file, { uid, tags, panels }] of dashboards) {
      expect(uid).toBe(`streamer-${file.replace(".json", "")}`);
      expect(tags).toEqual(["streamer"]);
      expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
      const withoutQuery = panels.filter(({ type, targets }) => !["row", "text"].includes(type) && !targets?.length);
      expect(withoutQuery).toEqual([]);
      const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) => {
        expect(x + w).toBeLessThanOrEqual(24);
        return Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`);
      });
      expect([file, new Set(cells).size]).toEqual([file, cells.length]);
    }
  });

  test("query only the two provisioned data sources", () => {
    const panels = [...dashboards.values()].flatMap((dashboard) => dashboard.panels);
    const sources = panels.flatMap(({ targets = [] }) => targets.map(({ datasource }) => datasource));
    const known = [
      { type: "prometheus", uid: "prometheus" },
      { type: "jaeger", uid: "jaeger" },
    ];
    expect(sources.filter(({ type, uid }) => !known.some((each) => each.type === type && each.uid === uid))).toEqual(
      [],
    );
    expect(sources.some(({ type }) => type === "jaeger")).toBe(true);
  });

  test("use metrics that exist", () => {
    const unknown = [...used].filter((name) => !series.includes(name) && !FOREIGN.test(name));
    expect(unknown).toEqual([]);
  });

  test("show every metric that exists", () => {
    const shown = new Set([...used].map(baseName));
    const missing = [...new Set(series.map(baseName))].filter((name) => !shown.has(name));
    expect(missing).toEqual([]);
  });
});

testWith(program)(
  "a real Prometheus that scrapes a busy server has data for every dashboard query and can evaluate every rule",
  async () => {
    await using server = await LoadedServer.start();
    await using prometheus = await Prometheus.start(program!, `127.0.0.1:${server.port}`, rules);
    const rounds =
      'sum(streamer_sessions_refused_total{reason="overloaded"}) and sum(count_over_time(streamer_ready[1m])) > 5';
    const enough = until("two rounds of load, in some scrapes", async () => {
      return ((await prometheus.query(rounds))[0]?.value ?? 0) >= 2;
    });
    await Promise.race([enough, server.load]);
    const problems: string[] = [];
    for (const { where, expression } of panelQueries) {
      const samples = await prometheus.query(expression).catch((error: unknown) => {
        problems.push(`${where}: ${String(error)}`);
        return undefined;
      });
      if (samples === undefined) continue;
      if (!samples.some(({ value }) => Number.isFinite(value))) problems.push(`${where}: no number for ${expression}`);
    }
    expect(problems).toEqual([]);

    await until("all rules evaluated", async () => (await prometheus.brokenRules()).length === 0).catch(async () => {
      expect(await prometheus.brokenRules()).toEqual([]);
    });
    const scraped = await prometheus.names();
    const foreign = [...used].filter((name) => FOREIGN.test(name));
    expect(foreign.filter((name) => !scraped.includes(name))).toEqual([]);
    const traced = await prometheus.exemplars("streamer_inference_compute_seconds_bucket");
    expect(traced.some(({ trace_id }) => /^[0-9a-f]{32}$/.test(trace_id ?? ""))).toBe(true);
  },
  LIMIT_MS,
);
