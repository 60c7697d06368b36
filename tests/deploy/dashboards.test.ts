import { describe, expect, test } from "bun:test";

import { dashboards, FOREIGN, usedNames } from "../support/deploy/dashboards.ts";
import { allMetricNames, baseName } from "../support/deploy/names.ts";

const used = usedNames();
const series = allMetricNames();

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
