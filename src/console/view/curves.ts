import type { Result } from "../stream/result.ts";
import { Chart } from "./chart.ts";
import { find } from "./dom.ts";

/** Most fields that have a curve. */
const MAX_CURVES = 8;
/** Results from which on a curve says something. */
const MIN_POINTS = 2;
const COLORS = ["series-1", "series-2", "series-3", "series-4"];

/** The numbers that a model says, such as loudness or pitch, as curves over the recording. */
export class CurvesView {
  readonly #place = find("curves", HTMLElement);
  readonly #charts = new Map<string, Chart>();
  #channels = 1;

  begin(channels: number): void {
    this.#channels = channels;
    for (const chart of this.#charts.values()) chart.remove();
    this.#charts.clear();
  }

  show(results: readonly Result[]): void {
    const finals = results.filter(({ isFinal, error }) => isFinal && error === undefined);
    for (const name of numericFields(finals)) {
      const points = finals.filter(({ fields }) => typeof fields[name] === "number");
      if (points.length >= MIN_POINTS) this.#chart(name)?.show(this.#columns(name, points));
    }
  }

  #chart(name: string): Chart | undefined {
    const known = this.#charts.get(name);
    if (known !== undefined || this.#charts.size >= MAX_CURVES) return known;
    const curves = Array.from({ length: this.#channels }, (_, channel) => {
      return { label: this.#channels === 1 ? name : `[${channel}]`, color: COLORS[channel % COLORS.length]! };
    });
    const chart = new Chart({ title: name, unit: "", curves, isRecording: true, digits: 2 });
    this.#charts.set(name, chart);
    this.#place.append(chart.element);
    return chart;
  }

  #columns(name: string, points: readonly Result[]): (number | null)[][] {
    const channels = Array.from({ length: this.#channels }, (_, channel) =>
      points.map((point) => (point.channel === channel ? (point.fields[name] as number) : null)),
    );
    return [points.map(({ end }) => end), ...channels];
  }
}

function numericFields(results: readonly Result[]): string[] {
  const names = new Set<string>();
  for (const { fields } of results) {
    for (const [name, value] of Object.entries(fields)) if (typeof value === "number") names.add(name);
  }
  return [...names];
}
