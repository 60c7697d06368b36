// The distribution of latencies of a run in which a few calls are slow, with its mean and percentiles. The streams send
// blocks in real time. One call in 25 takes 250 ms in place of 20: a collection of garbage, a cold cache, another tenant
// of the graphics card.

import { join } from "node:path";

import { runBlocks } from "../../bench/support/block-streams.ts";
import { quantile } from "../../bench/support/statistics.ts";
import type { Plot } from "../support/plot.ts";

const RUN = { streams: 8, workers: 8, seconds: 40, pace: "real-time" } as const;
/** Bins of equal width on a logarithmic axis, from 10 ms on. */
const [FIRST_MS, BINS_A_DECADE] = [10, 20];

const MODEL = `
  const cell = new Int32Array(new SharedArrayBuffer(4));
  export default {
    name: "sometimes-slow",
    load: () => ({
      infer(audio) {
        const isSlow = Math.random() < 0.04;
        Atomics.wait(cell, 0, 0, isSlow ? 200 + 100 * Math.random() : 16 + 8 * Math.random());
        return { count: audio.length };
      },
    }),
  };`;

/** A bin, or a figure of the whole distribution. */
interface Row {
  readonly kind: "bin" | "mean" | "p50" | "p95" | "p99" | "max";
  /** Of a bin: its lower bound. */
  readonly ms: number;
  /** Of a bin: its upper bound. */
  readonly to_ms?: number;
  readonly results?: number;
}

export default {
  title: "A mean that hardly any result has",

  async measure({ executable, scratch }) {
    const model = join(scratch, "sometimes-slow.ts");
    await Bun.write(model, MODEL);
    const { latencies } = await runBlocks({ executable, model, ...RUN });
    const mean = latencies.reduce((sum, latency) => sum + latency, 0) / latencies.length;
    const figures = {
      mean,
      p50: quantile(latencies, 0.5),
      p95: quantile(latencies, 0.95),
      p99: quantile(latencies, 0.99),
    };
    return [
      ...bins(latencies),
      ...Object.entries({ ...figures, max: Math.max(...latencies) }).map(
        ([kind, ms]) => ({ kind, ms: rounded(ms) }) as Row,
      ),
    ];
  },

  draw(rows) {
    const all = rows.filter(({ kind }) => kind === "bin");
    const total = all.reduce((sum, { results = 0 }) => sum + results, 0);
    const shares = all.map((row) => ({ ...row, share: (100 * (row.results ?? 0)) / total }));
    const marks = rows
      .filter(({ kind }) => kind !== "bin" && kind !== "max")
      .map((row) => ({
        ...row,
        label: `${row.kind} ${Math.round(row.ms)} ms`,
        // p95 and p99 can be too close for their labels to stand side by side.
        height: row.kind === "p99" ? 30 : 75,
      }));
    const x = {
      field: "ms",
      type: "quantitative",
      scale: { type: "log", domain: [FIRST_MS, 500], nice: false },
      title: "latency of a result (ms, logarithmic)",
      axis: { values: [10, 20, 50, 100, 200, 500], format: "d" },
    };
    const y = {
      type: "quantitative",
      scale: { type: "log", domain: [0.02, 100], nice: false },
      title: "share of the results (%, logarithmic)",
      axis: { values: [0.1, 1, 10, 100], format: "~g" },
    };
    return {
      height: 300,
      layer: [
        {
          data: { values: shares.filter(({ share }) => share > 0) },
          mark: { type: "bar", color: "#6fa8d0", stroke: "#ffffff" },
          encoding: { x, x2: { field: "to_ms" }, y: { ...y, field: "share" }, y2: { datum: 0.02 } },
        },
        {
          data: { values: marks },
          mark: { type: "rule", strokeWidth: 1.5 },
          encoding: {
            x,
            y: { ...y, field: "height" },
            y2: { datum: 0.02 },
            strokeDash: { condition: { test: "datum.kind === 'mean'", value: [5, 3] }, value: [1, 0] },
          },
        },
        {
          data: { values: marks },
          mark: { type: "text", align: "left", dx: 5, baseline: "top" },
          encoding: { x, y: { ...y, field: "height" }, text: { field: "label" } },
        },
      ],
    };
  },
} satisfies Plot<Row>;

function bins(latencies: readonly number[]): Row[] {
  const counts = new Map<number, number>();
  for (const latency of latencies) {
    const bin = Math.max(0, Math.floor(Math.log10(latency / FIRST_MS) * BINS_A_DECADE));
    counts.set(bin, (counts.get(bin) ?? 0) + 1);
  }
  const bound = (bin: number): number => rounded(FIRST_MS * 10 ** (bin / BINS_A_DECADE));
  return Array.from({ length: Math.max(...counts.keys()) + 1 }, (_, bin) => ({
    kind: "bin",
    ms: bound(bin),
    to_ms: bound(bin + 1),
    results: counts.get(bin) ?? 0,
  }));
}

function rounded(ms: number): number {
  return Math.round(ms * 10) / 10;
}
