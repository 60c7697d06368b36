// The load of a recogniser and its first calls, each with the same two seconds of speech: in a new process, without the
// warm-up that a server makes before it is ready. Medians of five processes. The model is examples/moonshine.

import { median } from "../../bench/support/statistics.ts";
import { type CallTimes, moonshine, timeCalls } from "../support/moonshine.ts";
import type { Plot } from "../support/plot.ts";

const CALLS = 6;
const SECONDS = 2;
const PROCESSES = 5;

interface Row {
  readonly step: string;
  readonly ms: number;
}

export default {
  title: "The first call of a model is not like the others",

  async measure({ root }) {
    const model = await moonshine(root);
    const runs: CallTimes[] = [];
    for (let i = 0; i < PROCESSES; i++) runs.push(await timeCalls(model, Array<number>(CALLS).fill(SECONDS)));
    const of = (pick: (run: CallTimes) => number): number => Math.round(median(runs.map(pick)));
    return [
      { step: "load", ms: of(({ load }) => load) },
      ...Array.from({ length: CALLS }, (_, i) => ({ step: `call ${i + 1}`, ms: of(({ calls }) => calls[i]!) })),
    ];
  },

  draw() {
    const y = { field: "step", type: "ordinal", sort: null, title: null, axis: { ticks: false } };
    const x = { field: "ms", type: "quantitative", title: "duration (ms)" };
    return {
      height: 230,
      encoding: { x, y },
      layer: [
        { mark: { type: "bar", height: 20, color: "#6fa8d0", stroke: "#222222", strokeWidth: 1 } },
        { mark: { type: "text", align: "left", dx: 5 }, encoding: { text: { field: "ms" } } },
      ],
    };
  },
} satisfies Plot<Row>;
