// From sound to utterances: the level of each window of 10 ms of the recording's right side, the windows that the detector
// takes for speech, and what the endpointer makes of them. All comes from a server, but the windows, which it does not
// report: they are those of its detector, with its default settings.

import { Resampler } from "../../../src/native/resampler.ts";
import { VAD_DEFAULTS } from "../../../src/protocol/vad-settings.ts";
import { energy } from "../../../src/vad/energy.ts";
import { ServerProcess } from "../../bench/support/server-process.ts";
import type { Plot } from "../support/plot.ts";
import { type Arrival, streamInRealTime } from "../support/real-time.ts";
import { RATE, recordedSide } from "../support/recording.ts";

const [FROM, TO] = [5.5, 13.5];
/** Rate of the model, at which the server detects. */
const MODEL_RATE = 16_000;

const [WINDOWS, SPEECH, UTTERANCE] = ["speech windows", "active", "utterance"];

interface Row {
  readonly kind: string;
  /** Seconds; of a level, the middle of its window. */
  readonly start: number;
  readonly end?: number;
  readonly dbfs?: number;
}

export default {
  title: "From sound to utterances",

  async measure({ executable }) {
    await using server = await ServerProcess.start([executable, "serve", "--port", "0"]);
    const samples = recordedSide(1);
    const url = `ws://${server.host}/api/v1/segmented`;
    const rows = [...windows(samples), ...spans(await streamInRealTime({ url, samples, rate: RATE }))];
    return rows.filter(({ start, end = start }) => end >= FROM && start <= TO);
  },

  draw(rows) {
    const x = (title: string | null) => ({
      field: "start",
      type: "quantitative",
      scale: { domain: [FROM, TO], nice: false },
      title,
      axis: { labels: title !== null },
    });
    const kinds = [WINDOWS, SPEECH, UTTERANCE];
    return {
      spacing: 14,
      vconcat: [
        {
          width: 590,
          height: 170,
          data: { values: rows.filter(({ kind }) => kind === "level") },
          mark: { type: "area", color: "#6fa8d0", clip: true },
          encoding: {
            x: x(null),
            y: { field: "dbfs", type: "quantitative", title: "level (dBFS)", scale: { domain: [-80, 0] } },
            y2: { datum: -80 },
          },
        },
        {
          width: 590,
          height: { step: 30 },
          data: { values: rows.filter(({ kind }) => kind !== "level") },
          mark: { type: "bar", height: 18, stroke: "#222222", strokeWidth: 1, clip: true },
          encoding: {
            x: x("time since the first sample (s)"),
            x2: { field: "end" },
            y: { field: "kind", type: "ordinal", sort: kinds, title: null, axis: { ticks: false, domain: false } },
            color: {
              field: "kind",
              type: "nominal",
              scale: { domain: kinds, range: ["#222222", "#6fa8d0", "#e4edf5"] },
              legend: null,
            },
          },
        },
      ],
    };
  },
} satisfies Plot<Row>;

/** Levels, and spans of windows that are speech. */
function windows(samples: Int16Array): Row[] {
  using resampler = new Resampler(RATE, MODEL_RATE);
  const input = Float32Array.from(samples, (sample) => sample / 32_768);
  const output = new Float32Array(resampler.maxOutput(input.length));
  const length = resampler.process(input, 0, input.length, output, 0);
  using detector = energy.create(MODEL_RATE, VAD_DEFAULTS);
  const seconds = detector.windowSamples / MODEL_RATE;
  const rows: Row[] = [];
  let [window, speechFrom] = [0, -1];
  detector.push(output, 0, length, (isSpeech, levelDb) => {
    rows.push({ kind: "level", start: rounded((window + 0.5) * seconds), dbfs: Math.round(levelDb * 10) / 10 });
    if (isSpeech && speechFrom < 0) speechFrom = window;
    if (!isSpeech && speechFrom >= 0) {
      rows.push({ kind: WINDOWS!, start: rounded(speechFrom * seconds), end: rounded(window * seconds) });
      speechFrom = -1;
    }
    window++;
  });
  return rows;
}

/** What the server reports: from active to inactive, and utterances. */
function spans(arrivals: readonly Arrival[]): Row[] {
  const rows: Row[] = [];
  let active = 0;
  for (const { event } of arrivals) {
    const { type, time = 0, start_time = 0, end_time = 0 } = event;
    if (type === "active") active = time;
    if (type === "inactive") rows.push({ kind: SPEECH!, start: active, end: time });
    if (type === "segment") rows.push({ kind: UTTERANCE!, start: start_time, end: end_time });
  }
  return rows;
}

function rounded(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
