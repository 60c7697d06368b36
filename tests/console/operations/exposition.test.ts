import { expect, test } from "bun:test";

import { quantileBetween, readExposition, sum } from "../../../src/console/operations/exposition.ts";
import { InProcessServer } from "../../support/in-process-server.ts";

const TEXT = `# HELP a_total Things.
# TYPE a_total counter
a_total{kind="x",why="say \\"no\\"\\\\"} 3
a_total{kind="y"} 4.5 1700000000000
up 1
rubbish
h_bucket{le="0.1"} 2
h_bucket{le="1"} 10
h_bucket{le="+Inf"} 12
`;

test("metrics are read with their labels, and lines that are none are left out", () => {
  const samples = readExposition(TEXT);
  expect(samples.get("a_total")).toEqual([
    { labels: { kind: "x", why: 'say "no"\\' }, value: 3 },
    { labels: { kind: "y" }, value: 4.5 },
  ]);
  expect([sum(samples, "a_total"), sum(samples, "a_total", { kind: "y" }), sum(samples, "none")]).toEqual([
    7.5, 4.5, 0,
  ]);
});

test("a quantile is that of what was observed between two readings", () => {
  const empty = readExposition("");
  const samples = readExposition(TEXT);
  expect(quantileBetween(empty, samples, "h", 0.5)).toBeCloseTo(0.1 + (0.9 * 4) / 8);
  // Beyond the last bound nothing is known but that bound.
  expect(quantileBetween(empty, samples, "h", 0.99)).toBe(1);
  expect(quantileBetween(samples, samples, "h", 0.5)).toBeUndefined();
});

test("the metrics of a server are read", async () => {
  await using server = await InProcessServer.start();
  const samples = readExposition(await (await server.fetch("/metrics")).text());
  for (const name of [
    "streamer_sessions_refused_total",
    "streamer_errors_total",
    "streamer_speech_end_to_final_seconds_bucket",
    "streamer_event_loop_utilization_ratio",
  ]) {
    expect(samples.has(name)).toBe(true);
  }
});
