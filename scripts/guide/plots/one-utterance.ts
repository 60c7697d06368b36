// One utterance of the recording, from sound to words: the level of the left channel, and when which result arrived. The
// recogniser is examples/moonshine, whose packages are installed if they are not there.

import { ServerProcess } from "../../bench/support/server-process.ts";
import { moonshine } from "../support/moonshine.ts";
import type { Plot } from "../support/plot.ts";
import { type ArrivedEvent, streamInRealTime } from "../support/real-time.ts";
import { RATE, recordedSide } from "../support/recording.ts";

/** Seconds of the recording: the first utterance and the pause after it. */
const SECONDS = 5;
const WINDOW_MS = 20;
/** Time from which the picture begins. */
const FROM = 0.5;

interface Row {
  readonly kind: "level" | "speech begins" | "speech ends" | "interim" | "final";
  /** Seconds of audio: middle of a window, time of a change, or start of a result. */
  readonly time: number;
  /** Of results: seconds of audio. */
  readonly end?: number;
  /** Of results and changes: seconds from the first sample to the arrival at the client. */
  readonly arrival?: number;
  readonly text?: string;
  readonly dbfs?: number;
}

export default {
  title: "One utterance, from sound to words",

  async measure({ executable, root }) {
    const serve = ["serve", "--port", "0", "--model", await moonshine(root), "--workers", "2"];
    await using server = await ServerProcess.start([executable, ...serve]);
    const samples = recordedSide(0).slice(0, SECONDS * RATE);
    const url = `ws://${server.host}/api/v1/segmented`;
    const arrivals = await streamInRealTime({ url, start: { interim_results: true }, samples, rate: RATE });
    return [...levels(samples), ...arrivals.flatMap(({ at, event }) => eventRow(event, rounded(at)))];
  },

  draw(rows) {
    const events = rows.filter(({ kind }) => kind !== "level");
    const interims = events.filter(({ kind }) => kind === "interim");
    const marked = events.map((row) => ({
      ...row,
      text: row.text ?? "",
      label: row.kind === "interim" ? `interim ${interims.indexOf(row) + 1}` : row.kind,
      end: endOf(row),
      delay: `+${Math.round(((row.arrival ?? NaN) - endOf(row)) * 1000)} ms`,
    }));
    const changes = { values: events.filter(({ kind }) => kind === "speech begins" || kind === "speech ends") };
    const along = (field: string, title: string | null = "time since the first sample (s)") => {
      const axis = { values: Array.from({ length: 10 }, (_, i) => FROM + i / 2), labels: title !== null };
      return { field, type: "quantitative", scale: { domain: [FROM, SECONDS], nice: false }, title, axis };
    };
    const y = {
      field: "label",
      type: "ordinal",
      sort: marked.map(({ label }) => label),
      title: null,
      axis: { ticks: false, domain: false },
    };
    const shade = { condition: { test: "datum.kind === 'final'", value: "#6fa8d0" }, value: "#e4edf5" };
    const change = (title?: null) => ({
      data: changes,
      mark: { type: "rule", strokeDash: [4, 3] },
      encoding: { x: along("time", title) },
    });
    return {
      spacing: 14,
      vconcat: [
        {
          width: 580,
          height: 130,
          layer: [
            {
              data: { values: rows.filter(({ kind, time }) => kind === "level" && time >= FROM) },
              mark: { type: "area", color: "#6fa8d0" },
              encoding: {
                x: along("time", null),
                y: { field: "dbfs", type: "quantitative", title: "level (dBFS)", scale: { domain: [-70, 0] } },
                y2: { datum: -70 },
              },
            },
            change(null),
          ],
        },
        {
          title: {
            text: "Bars: the audio that a result covers. Diamonds: arrival at the client, and the time after that audio.",
            ...{ fontSize: 12, fontWeight: "normal", offset: 6 },
          },
          width: 580,
          height: { step: 28 },
          data: { values: marked },
          layer: [
            change(),
            {
              mark: { type: "bar", height: 20, stroke: "#222222", strokeWidth: 1 },
              encoding: { x: along("time"), x2: { field: "end" }, y, color: shade },
            },
            {
              mark: { type: "rule", strokeDash: [2, 2] },
              encoding: { x: along("end"), x2: { field: "arrival" }, y },
            },
            {
              mark: { type: "point", shape: "diamond", color: "#17375e", size: 80 },
              encoding: { x: along("arrival"), y },
            },
            {
              mark: { type: "text", align: "left", dx: 4 },
              encoding: { x: along("time"), y, text: { field: "text" } },
            },
            {
              mark: { type: "text", align: "left", dx: 10 },
              encoding: { x: along("arrival"), y, text: { field: "delay" } },
            },
          ],
        },
      ],
    };
  },
} satisfies Plot<Row>;

function levels(samples: Int16Array): Row[] {
  const length = (RATE * WINDOW_MS) / 1000;
  return Array.from({ length: Math.floor(samples.length / length) }, (_, i) => {
    const window = samples.subarray(i * length, (i + 1) * length);
    const power = window.reduce((sum, sample) => sum + (sample / 32_768) ** 2, 0) / length;
    const dbfs = Math.round(Math.max(-100, 10 * Math.log10(power + 1e-12)) * 10) / 10;
    return { kind: "level", time: rounded(((i + 0.5) * length) / RATE), dbfs };
  });
}

function eventRow({ type, ...event }: ArrivedEvent, arrival: number): Row[] {
  const { time = NaN, start_time = NaN, end_time = NaN, is_final, text = "" } = event;
  if (type === "active") return [{ kind: "speech begins", time, arrival }];
  if (type === "inactive") return [{ kind: "speech ends", time, arrival }];
  if (type !== "segment") return [];
  return [{ kind: is_final ? "final" : "interim", time: start_time, end: end_time, arrival, text }];
}

/** End of the audio that an event is about: of a change, the time itself. */
function endOf({ time, end = time }: Row): number {
  return end;
}

function rounded(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
