// Latency and throughput against the number of streams, up to beyond the capacity. Real speech in real time, the
// simulated model on two workers, and no admission control: beyond the capacity everybody is served, late.

import { runPlan } from "../../../src/commands/bench/parts.ts";
import { ServerProcess } from "../../bench/support/server-process.ts";
import { speechPlan } from "../../bench/support/speech-plan.ts";
import { quantile } from "../../bench/support/statistics.ts";
import type { Plot } from "../support/plot.ts";
import { lines, series } from "../support/theme.ts";

const STREAMS = [20, 40, 60, 80, 100, 120, 140, 160];
const TIMES = { ramp: 1, settle: 2, seconds: 5, timeout: 15 };
/** A call takes 40 ms and 20 ms for each second of its audio. */
const MODEL = ["model.workers=2", "model.delay=0.04", "model.constant_factor=0.02", "model.jitter=0"];
const OPEN = ["limits.admission.load=1000", "limits.admission.wait_ms=3600000"];
/** A threshold as people set it, to read a capacity from the figure. */
const GOAL_MS = 200;

interface Row {
  readonly streams: number;
  readonly results_per_second: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
}

export default {
  title: "Beyond the capacity, more streams give no more results, only later ones",

  async measure({ executable }) {
    const rows: Row[] = [];
    for (const streams of STREAMS) {
      const sets = [...MODEL, ...OPEN].flatMap((each) => ["--set", each]);
      await using server = await ServerProcess.start([executable, "serve", "--port", "0", ...sets]);
      const addr = `ws://${server.host}/api/v1/segmented`;
      const { tally } = await runPlan(speechPlan({ addr, streams, ...TIMES }), [executable], {});
      if (tally.admitted !== streams) throw new Error(`${streams - tally.admitted} streams were refused`);
      const of = (share: number): number => rounded(quantile(tally.finals, share));
      const rate = rounded(tally.finals.length / TIMES.seconds);
      rows.push({ streams, results_per_second: rate, p50_ms: of(0.5), p99_ms: of(0.99) });
    }
    return rows;
  },

  draw(rows) {
    const latencies = rows.flatMap(({ streams, p50_ms, p99_ms }) => [
      { streams, percentile: "p99", ms: p99_ms },
      { streams, percentile: "p50", ms: p50_ms },
    ]);
    const x = {
      field: "streams",
      type: "quantitative",
      title: "streams at the same time",
      scale: { domain: [0, STREAMS.at(-1)], nice: false },
      axis: { values: STREAMS },
    };
    const ms = {
      field: "ms",
      type: "quantitative",
      title: "latency of finals (ms)",
      scale: { type: "log", domain: [50, 2000], nice: false },
      axis: { values: [50, 100, 200, 500, 1000, 2000], format: "d" },
    };
    const rate = { field: "results_per_second", type: "quantitative", title: "results per second" };
    return {
      vconcat: [
        {
          width: 600,
          height: 200,
          data: { values: latencies },
          layer: [
            ...lines(x, ms, series("percentile", ["p99", "p50"])),
            {
              data: { values: [{ ms: GOAL_MS }] },
              mark: { type: "rule", strokeDash: [2, 2] },
              encoding: { y: ms },
            },
            {
              data: { values: [{ ms: GOAL_MS }] },
              mark: {
                type: "text",
                align: "left",
                baseline: "bottom",
                dx: 4,
                dy: -3,
                x: 0,
                text: `goal: ${GOAL_MS} ms`,
              },
              encoding: { y: ms },
            },
          ],
        },
        {
          width: 600,
          height: 130,
          layer: [
            { mark: { type: "line", color: "#222222" }, encoding: { x, y: rate } },
            { mark: { type: "point", color: "#222222" }, encoding: { x, y: rate } },
          ],
        },
      ],
    };
  },
} satisfies Plot<Row>;

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}
