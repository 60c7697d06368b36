// Latency of those inside, and their number, against the streams that ask to be served: with admission control as it is
// by default, and without. Real speech in real time, the simulated model on two workers.

import type { Plot } from "../support/plot.ts";
import { measureSpeech, NO_ADMISSION, type SpeechResult } from "../support/speech-load.ts";
import { lines, series } from "../support/theme.ts";

const STREAMS = [40, 80, 120, 160, 240];
const TIMES = { ramp: 2, settle: 1, seconds: 4, timeout: 15 };
const RULES = [
  { rule: "without admission control", settings: NO_ADMISSION },
  { rule: "with it", settings: [] },
];

interface Row extends SpeechResult {
  readonly rule: string;
  /** Streams that asked to be served. */
  readonly streams: number;
}

export default {
  title: "Admission control: fewer are served, and sooner",

  async measure({ executable }) {
    const rows: Row[] = [];
    for (const { rule, settings } of RULES) {
      for (const streams of STREAMS) {
        rows.push({ rule, streams, ...(await measureSpeech(executable, settings, { streams, ...TIMES })) });
      }
    }
    return rows;
  },

  draw() {
    const of = series(
      "rule",
      RULES.map(({ rule }) => rule),
    );
    const x = {
      field: "streams",
      type: "quantitative",
      title: "streams that ask to be served",
      scale: { domain: [0, STREAMS.at(-1)], nice: false },
      axis: { values: STREAMS },
    };
    const p99 = {
      field: "p99_ms",
      type: "quantitative",
      title: "p99 of finals (ms)",
      scale: { type: "log", domain: [100, 5000], nice: false },
      axis: { values: [100, 200, 500, 1000, 2000, 5000], format: "d" },
    };
    const admitted = { field: "admitted", type: "quantitative", title: "streams that are served" };
    return {
      vconcat: [
        { width: 600, height: 190, layer: lines(x, p99, of) },
        { width: 600, height: 150, layer: lines(x, admitted, of) },
      ],
    };
  },
} satisfies Plot<Row>;
