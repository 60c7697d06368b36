// Utterances found, and the wait for their results, against the silence that ends one: both sides of the recording in
// real time, all settings at once, with the simulated model.

import { ServerProcess } from "../../bench/support/server-process.ts";
import { median } from "../../bench/support/statistics.ts";
import type { Plot } from "../support/plot.ts";
import { type Arrival, streamInRealTime } from "../support/real-time.ts";
import { RATE, recordedSide, SPOKEN } from "../support/recording.ts";

const SILENCES_MS = [50, 100, 150, 200, 300, 400, 500, 700, 1000];
const SIDES = [0, 1] as const;

interface Row {
  readonly min_silence_ms: number;
  readonly utterances: number;
  /** Median of the time from the end of speech to the final result. */
  readonly latency_ms: number;
}

export default {
  title: "The silence that ends an utterance: short cuts speech, long delays results",

  async measure({ executable }) {
    await using server = await ServerProcess.start([executable, "serve", "--port", "0"]);
    const url = `ws://${server.host}/api/v1/segmented`;
    const sides = SIDES.map(recordedSide);
    return await Promise.all(
      SILENCES_MS.map(async (min_silence_ms): Promise<Row> => {
        const vad = { min_silence_ms, post_roll_ms: Math.min(100, min_silence_ms) };
        const streams = await Promise.all(
          sides.map((samples) => streamInRealTime({ url, start: { vad }, samples, rate: RATE })),
        );
        const latencies = streams.flatMap(finalLatencies);
        return { min_silence_ms, utterances: latencies.length, latency_ms: Math.round(median(latencies)) };
      }),
    );
  },

  draw() {
    const spoken = SPOKEN[0] + SPOKEN[1];
    const x = {
      field: "min_silence_ms",
      type: "quantitative",
      title: "silence that ends an utterance, vad.min_silence_ms (ms)",
      axis: { values: [50, 200, 300, 400, 500, 700, 1000] },
      scale: { domain: [0, 1000] },
    };
    const found = { field: "utterances", type: "quantitative", title: "utterances found", scale: { domain: [0, 30] } };
    const latency = { field: "latency_ms", type: "quantitative", title: "end of speech to final (ms)" };
    const line = (y: object): object[] => [
      { mark: { type: "line", color: "#17375e" }, encoding: { x, y } },
      { mark: { type: "point", color: "#17375e" }, encoding: { x, y } },
    ];
    const reference = { data: { values: [{ utterances: spoken }] }, encoding: { y: found } };
    return {
      vconcat: [
        {
          width: 620,
          height: 160,
          layer: [
            ...line(found),
            { ...reference, mark: { type: "rule", strokeDash: [4, 3] } },
            {
              ...reference,
              mark: {
                type: "text",
                align: "right",
                baseline: "top",
                dy: 5,
                x: 615,
                text: `clips in the recording: ${spoken}`,
              },
            },
          ],
        },
        { width: 620, height: 160, layer: line(latency) },
      ],
    };
  },
} satisfies Plot<Row>;

/** Milliseconds from the end of the speech of each utterance to its final result. */
function finalLatencies(arrivals: readonly Arrival[]): number[] {
  const ends = arrivals.filter(({ event }) => event.type === "inactive").map(({ event }) => event.time ?? NaN);
  const finals = arrivals.filter(({ event }) => event.is_final);
  return finals.map(({ at, event }) => {
    // The end of its speech is within its audio: a result has a part of the silence after it.
    const end = ends.findLast((time) => time <= (event.end_time ?? NaN)) ?? NaN;
    return (at - end) * 1000;
  });
}
