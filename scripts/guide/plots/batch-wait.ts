// What waiting for others to join a batch costs and gives, at moderate load: the model is that of the figure `batching`,
// and 12 streams send blocks in real time.

import { join } from "node:path";

import { type BlockResult, runBlocks } from "../../bench/support/block-streams.ts";
import { sleeperModel } from "../../bench/support/sleeper-model.ts";
import { median, quantile } from "../../bench/support/statistics.ts";
import type { Plot } from "../support/plot.ts";
import { lines, series } from "../support/theme.ts";

const WAITS_MS = [0, 5, 10, 20, 40, 80];
const [CALL_MS, ITEM_MS] = [10, 2.5];
const RUN = { streams: 12, pace: "real-time", seconds: 4 } as const;
const ROUNDS = 3;

interface Row {
  readonly max_batch_wait_ms: number;
  readonly results_per_second: number;
  readonly blocks_per_call: number;
  /** Share of the time in which the model computes. */
  readonly busy_percent: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
}

export default {
  title: "A longer wait for a batch: less work for the model, more latency for everybody",

  async measure({ executable, scratch }) {
    const rows: Row[] = [];
    for (const maxBatchWaitMs of WAITS_MS) {
      const model = join(scratch, `wait-${maxBatchWaitMs}.ts`);
      await Bun.write(model, sleeperModel({ maxBatch: 16, maxBatchWaitMs, callMs: CALL_MS, itemMs: ITEM_MS }));
      const rounds: BlockResult[] = [];
      for (let round = 0; round < ROUNDS; round++) rounds.push(await runBlocks({ executable, model, ...RUN }));
      const of = (pick: (round: BlockResult) => number): number => Math.round(median(rounds.map(pick)) * 10) / 10;
      rows.push({
        max_batch_wait_ms: maxBatchWaitMs,
        results_per_second: of(({ resultsPerSecond }) => resultsPerSecond),
        blocks_per_call: of(({ resultsPerSecond, callsPerSecond }) => resultsPerSecond / callsPerSecond),
        busy_percent: of(
          ({ resultsPerSecond, callsPerSecond }) => (callsPerSecond * CALL_MS + resultsPerSecond * ITEM_MS) / 10,
        ),
        p50_ms: of(({ latencies }) => quantile(latencies, 0.5)),
        p99_ms: of(({ latencies }) => quantile(latencies, 0.99)),
      });
    }
    return rows;
  },

  draw(rows) {
    const latencies = rows.flatMap(({ max_batch_wait_ms, p50_ms, p99_ms }) => [
      { max_batch_wait_ms, percentile: "p99", ms: p99_ms },
      { max_batch_wait_ms, percentile: "p50", ms: p50_ms },
    ]);
    const x = {
      field: "max_batch_wait_ms",
      type: "quantitative",
      title: "longest wait for others, maxBatchWaitMs (ms)",
      axis: { values: WAITS_MS },
    };
    const busy = {
      field: "busy_percent",
      type: "quantitative",
      title: "model busy (%)",
      scale: { domain: [0, 100] },
    };
    const ms = { field: "ms", type: "quantitative", title: "latency of a block (ms)" };
    return {
      resolve: { legend: { color: "independent", shape: "independent", strokeDash: "independent" } },
      vconcat: [
        {
          width: 620,
          height: 150,
          layer: [
            { mark: { type: "line", color: "#222222" }, encoding: { x, y: busy } },
            { mark: { type: "point", color: "#222222" }, encoding: { x, y: busy } },
          ],
        },
        {
          width: 620,
          height: 180,
          data: { values: latencies },
          layer: lines(x, ms, series("percentile", ["p99", "p50"])),
        },
      ],
    };
  },
} satisfies Plot<Row>;
