// Latency and throughput against the number of streams, up to beyond the capacity. Real speech in real time, the
// simulated model on two workers, and no admission control: beyond the capacity everybody is served, late.

import type { Plot } from "../support/plot.ts";
import { measureSpeech, NO_ADMISSION, type SpeechResult } from "../support/speech-load.ts";
import { lines, series } from "../support/theme.ts";

const STREAMS = [20, 40, 60, 80, 100, 120, 140, 160];
const TIMES = { ramp: 1, settle: 2, seconds: 5, timeout: 15 };
/** A threshold as people set it, to read a capacity from the figure. */
const GOAL_MS = 200;

interface Row extends SpeechResult {
  readonly streams: number;
}

export default {
  title: "Beyond the capacity, more streams give no more results, only later ones",

  async measure({ executable }) {
    const rows: Row[] = [];
    for (const streams of STREAMS) {
      const result = await measureSpeech(executable, NO_ADMISSION, { streams, ...TIMES });
      if (result.admitted !== streams) throw new Error(`${streams - result.admitted} streams were refused`);
      rows.push({ streams, ...result });
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
