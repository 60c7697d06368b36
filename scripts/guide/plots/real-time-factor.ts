// The duration of a call against the length of its audio, and the same as a real-time factor: the recogniser of
// examples/moonshine on one core, warm, with speech. Medians of three processes.

import { median } from "../../bench/support/statistics.ts";
import { type CallTimes, moonshine, timeCalls } from "../support/moonshine.ts";
import type { Plot } from "../support/plot.ts";

const LENGTHS = [0.5, 1, 2, 3, 4, 6, 8, 12];
/** Calls before those that count. */
const WARM_UP = [2, 2];
const PROCESSES = 3;

interface Row {
  readonly seconds: number;
  readonly ms: number;
  readonly real_time_factor: number;
}

export default {
  title: "What a call costs, and what a second of audio costs",

  async measure({ root }) {
    const model = await moonshine(root);
    const runs: CallTimes[] = [];
    for (let i = 0; i < PROCESSES; i++) runs.push(await timeCalls(model, [...WARM_UP, ...LENGTHS]));
    return LENGTHS.map((seconds, i) => {
      const ms = median(runs.map(({ calls }) => calls[WARM_UP.length + i]!));
      return { seconds, ms: Math.round(ms), real_time_factor: Math.round(ms / seconds) / 1000 };
    });
  },

  draw() {
    const x = {
      field: "seconds",
      type: "quantitative",
      title: "audio of a call (s)",
      axis: { values: LENGTHS.slice(1) },
    };
    const line = (field: string, title: string): object => {
      const y = { field, type: "quantitative", title };
      const encoding = { x, y };
      return {
        width: 620,
        height: 150,
        layer: [
          { mark: { type: "line", color: "#17375e" }, encoding },
          { mark: { type: "point", color: "#17375e" }, encoding },
        ],
      };
    };
    return { vconcat: [line("ms", "duration of the call (ms)"), line("real_time_factor", "real-time factor")] };
  },
} satisfies Plot<Row>;
