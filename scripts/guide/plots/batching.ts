// Results and latency against the largest batch. A call of the model takes 10 ms, and 2.5 ms more for each block in it,
// as on a graphics card whose calls have a fixed cost.

import { join } from "node:path";

import { type BlockResult, runBlocks } from "../../bench/support/block-streams.ts";
import { sleeperModel } from "../../bench/support/sleeper-model.ts";
import { median, quantile } from "../../bench/support/statistics.ts";
import type { Plot } from "../support/plot.ts";
import { lines, series } from "../support/theme.ts";

const BATCHES = [1, 2, 4, 8, 16];
const [CALL_MS, ITEM_MS] = [10, 2.5];
const SECONDS = 2;
const ROUNDS = 3;
/** Streams that always have a block in the server, and streams in real time that leave the model half of its time idle. */
const LOADS = [
  { load: "full load: 32 blocks always wait or run", streams: 32, pace: "closed" },
  { load: "light load: 4 streams in real time", streams: 4, pace: "real-time" },
] as const;

interface Row {
  readonly load: string;
  readonly max_batch: number;
  readonly results_per_second: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
}

export default {
  title: "A larger batch gives more results a second, and under load less waiting",

  async measure({ executable, scratch }) {
    const rows: Row[] = [];
    for (const { load, streams, pace } of LOADS) {
      for (const maxBatch of BATCHES) {
        const model = join(scratch, `batch-${maxBatch}.ts`);
        await Bun.write(model, sleeperModel({ maxBatch, callMs: CALL_MS, itemMs: ITEM_MS }));
        const rounds: BlockResult[] = [];
        for (let round = 0; round < ROUNDS; round++) {
          rounds.push(await runBlocks({ executable, model, streams, pace, seconds: SECONDS }));
        }
        const of = (pick: (round: BlockResult) => number): number => rounded(median(rounds.map(pick)));
        rows.push({
          load,
          max_batch: maxBatch,
          results_per_second: of(({ resultsPerSecond }) => resultsPerSecond),
          p50_ms: of(({ latencies }) => quantile(latencies, 0.5)),
          p99_ms: of(({ latencies }) => quantile(latencies, 0.99)),
        });
      }
    }
    return rows;
  },

  draw() {
    const of = series(
      "load",
      LOADS.map(({ load }) => load),
    );
    const x = { field: "max_batch", type: "ordinal", title: "largest batch (blocks)", axis: { labelAngle: 0 } };
    const y = (field: string, title: string) => ({ field, type: "quantitative", title });
    return {
      vconcat: [
        { width: 620, height: 170, layer: lines(x, y("results_per_second", "results per second"), of) },
        { width: 620, height: 170, layer: lines(x, y("p50_ms", "latency of a block, p50 (ms)"), of) },
      ],
    };
  },
} satisfies Plot<Row>;

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}
