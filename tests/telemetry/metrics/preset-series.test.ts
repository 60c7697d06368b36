import { expect, test } from "bun:test";

import { ERRORS } from "../../../src/protocol/errors.ts";
import { EVENTS } from "../../../src/protocol/events.ts";
import { presetModelSeries, presetSeries } from "../../../src/telemetry/metrics/preset-series.ts";
import { ServerMetrics } from "../../../src/telemetry/metrics/server-metrics.ts";

test("series with known labels exist at 0 before the first event", () => {
  const metrics = new ServerMetrics();
  const routes = ["simple", "segmented"].map((pattern) => ({ pattern, dialect: "streamer" }));
  presetSeries(metrics, routes);
  presetModelSeries(metrics, ["simple", "segmented"], ["a", "b"]);
  const { sessions, streams, traffic, inference, server } = metrics.families;
  const labels = (family: { samples(): { labels: object; value: number }[] }): object[] => {
    return family.samples().map(({ labels: each, value }) => {
      expect(value).toBe(0);
      return each;
    });
  };
  expect(labels(sessions.opened)).toEqual(routes);
  expect(labels(traffic.errors)).toEqual(Object.keys(ERRORS).map((code) => ({ code })));
  expect(labels(traffic.eventsSent)).toEqual(Object.keys(EVENTS).map((type) => ({ type })));
  expect(labels(server.spans)).toEqual([{ fate: "recorded" }, { fate: "exported" }, { fate: "failed" }]);
  expect(labels(streams.started)).toHaveLength(4);
  expect(labels(inference.interims)).toHaveLength(18);
});

test("a session can only be refused or closed for a code that has a status or a close code", () => {
  const metrics = new ServerMetrics();
  presetSeries(metrics, []);
  const { refused, closed } = metrics.families.sessions;
  const codes = (selected: (row: (typeof ERRORS)[keyof typeof ERRORS]) => boolean): string[] => {
    return Object.entries(ERRORS).flatMap(([code, row]) => (selected(row) ? [code] : []));
  };
  const reasons = (family: typeof refused): string[] => [...family.entries()].map(({ labels }) => labels.reason);
  expect(reasons(refused)).toEqual(codes((row) => "status" in row && row.status !== undefined));
  expect(reasons(closed)).toEqual([
    ...codes((row) => "close" in row && row.close !== undefined),
    ...["stop", "client", "vanished", "protocol_error"],
  ]);
});
