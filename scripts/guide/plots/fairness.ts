// Latencies of clients that speak in real time, alone and beside one that sends long utterances as fast as the server
// reads: in 16 channels of one stream, or in 16 streams. The model is that of `bun run bench noisy`.

import { measurePaced } from "../../bench/support/paced-clients.ts";
import { quantile } from "../../bench/support/statistics.ts";
import type { Plot } from "../support/plot.ts";
import { series } from "../support/theme.ts";

const RUN = { clients: 20, seconds: 15, round: 0 };
const SETTINGS = ["model.workers=2", "limits.admission.load=1000", "limits.admission.wait_ms=3600000"];
const PROXY = "server.trusted_proxies=127.0.0.1";
const CASES = [
  { company: "alone" },
  { company: "beside 16 greedy channels of one stream", neighbour: "greedy" },
  { company: "beside 16 greedy streams of another caller", neighbour: "crowd", addresses: true },
  { company: "beside 16 greedy streams of the same caller", neighbour: "crowd" },
];
const PERCENTS = [1, ...Array.from({ length: 18 }, (_, i) => 5 * (i + 1)), 92, 94, 96, 98, 99];

interface Row {
  readonly company: string;
  readonly percent: number;
  /** So many percent of the results took at most this long. */
  readonly ms: number;
  readonly results: number;
}

export default {
  title: "Latencies of polite clients beside a greedy one",

  async measure({ executable }) {
    const rows: Row[] = [];
    for (const { company, neighbour, addresses = false } of CASES) {
      const serve = [...SETTINGS, ...(addresses ? [PROXY] : [])].flatMap((each) => ["--set", each]);
      const { latencies, errors } = await measurePaced({ executable, serve, neighbour, addresses, ...RUN });
      if (errors > 0) throw new Error(`${errors} results were errors`);
      for (const percent of PERCENTS) {
        const ms = Math.round(quantile(latencies, percent / 100) * 10) / 10;
        rows.push({ company, percent, ms, results: latencies.length });
      }
    }
    return rows;
  },

  draw() {
    const { color, strokeDash } = series(
      "company",
      CASES.map(({ company }) => company),
    );
    return {
      height: 340,
      mark: "line",
      encoding: {
        x: {
          field: "ms",
          type: "quantitative",
          title: "latency of a final result (ms, logarithmic)",
          scale: { type: "log", domain: [25, 1000], nice: false },
          axis: { values: [25, 50, 100, 200, 500, 1000], format: "d" },
        },
        y: { field: "percent", type: "quantitative", title: "share of results within it (%)" },
        color: { ...color, legend: { symbolSize: 600 } },
        strokeDash: { ...strokeDash, legend: { symbolSize: 600 } },
      },
    };
  },
} satisfies Plot<Row>;
